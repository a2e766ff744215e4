/** Opens a file of weights, whatever its format. */
import { checkOptions } from "@ddad/tensor/internal";
import { CheckpointError } from "../errors.ts";
import { type ByteSource, fileSource, memorySource } from "./byteSource.ts";
import { Checkpoint } from "./checkpoint.ts";
import { isPyTorch, readPyTorchFrom } from "./pytorch/readPyTorch.ts";
import { readSafetensorsFrom, underPrefix } from "./safetensors.ts";
import { isSafetensors } from "./safetensorsHeader.ts";

/** Options of `readCheckpoint`. */
export interface ReadOptions {
  /**
   * Dotted path of the dict of weights to take, where a file holds several, such as `ema`. Default: all of a safetensors file,
   * and what `readPyTorch` says of PyTorch's.
   */
  readonly entry?: string | undefined;
}

/** Larger files are read by parts: Node reads less than 2 GiB at once, and the arrays take their memory beside the file. */
const largestWhole = 2 ** 30;

/**
 * Reads weights, safetensors or PyTorch's own files (.pth, .pt, .ckpt), from bytes, or from a path (Node only). The contents
 * say which format it is. Nothing in a file is ever executed.
 *
 * Of a file above 1 GiB only the directory is read; each array is read when its `data` is first used, and then kept. Such a
 * file must not change until then.
 *
 * @returns the arrays by name (a state dict for `loadStateDict`) with the file's `metadata`; of PyTorch's files a
 *   `PyTorchCheckpoint`, which says what was left out
 * @throws CheckpointError with a sentence that names the file, UsageError for what is neither bytes nor a path
 */
export async function readCheckpoint(
  source: Uint8Array | string,
  options: ReadOptions = {},
): Promise<Checkpoint> {
  checkOptions("readCheckpoint", options, ["entry"]);
  if (typeof source !== "string") return parse(inMemory(source), options);
  const bytes = await openPath(source);
  try {
    return parse(bytes, options);
  } catch (error) {
    if (!(error instanceof CheckpointError) || error.message.startsWith(cannotRead(source))) throw error;
    throw new CheckpointError(`${source}: ${error.message}`, { cause: error });
  }
}

const inMemory = (bytes: Uint8Array): ByteSource =>
  memorySource("readCheckpoint", bytes, "bytes in a Uint8Array, or a path in Node");

function parse(source: ByteSource, { entry }: ReadOptions): Checkpoint {
  const head = source.view(0, Math.min(source.size, 9));
  // The first bytes of a PyTorch file may be the length of a safetensors header too.
  if (isPyTorch(head) && !isSafetensors(head)) return readPyTorchFrom(source, { entry });
  const all = readSafetensorsFrom(source);
  if (entry === undefined) return all;
  const prefix = `${entry}.`;
  const inside = underPrefix(all, prefix);
  if (inside.size === 0) throw new CheckpointError(`safetensors: no name starts with "${prefix}".`);
  const unreadable = all.unreadable
    .filter(({ name }) => name.startsWith(prefix))
    .map((tensor) => ({ ...tensor, name: tensor.name.slice(prefix.length) }));
  return new Checkpoint(inside, all.metadata, unreadable);
}

/** How errors of reading a path start. */
const cannotRead = (path: string): string => `readCheckpoint: ${path} cannot be read`;

async function openPath(path: string): Promise<ByteSource> {
  if (typeof process === "undefined" || !process.versions?.node) {
    throw new CheckpointError(
      `readCheckpoint: there are no paths in a browser: read "${path}" yourself and pass the bytes.`,
    );
  }
  // Through a variable, so that bundlers for browsers leave it alone.
  const files = "node:fs";
  const fs = (await import(/* @vite-ignore */ files)) as typeof import("node:fs");
  try {
    const stats = await fs.promises.stat(path);
    // A pipe or a device would never end; a folder has an error of its own.
    if (!stats.isFile() && !stats.isDirectory()) throw new Error("it is not a regular file");
    const { size } = stats;
    return size > largestWhole ? fileSource(path, fs) : inMemory(await fs.promises.readFile(path));
  } catch (error) {
    throw new CheckpointError(`${cannotRead(path)}: ${(error as Error).message}.`, { cause: error });
  }
}
