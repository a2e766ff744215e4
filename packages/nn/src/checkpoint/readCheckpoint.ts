/** Opens a file of weights, whatever its format. */
import { checkOptions } from "@ddad/tensor/internal";
import { CheckpointError } from "../errors.ts";
import { Checkpoint } from "./checkpoint.ts";
import { isPyTorch, readPyTorch } from "./pytorch/readPyTorch.ts";
import { checkBytes, readSafetensors, underPrefix } from "./safetensors.ts";

/** Options of `readCheckpoint`. */
export interface ReadOptions {
  /**
   * Dotted path of the dict of weights to take, where a file holds several, such as `ema`. Default: all of a safetensors file,
   * and what `readPyTorch` says of PyTorch's.
   */
  readonly entry?: string | undefined;
}

/**
 * Reads weights, safetensors or PyTorch's own files (.pth, .pt, .ckpt), from bytes, or from a path (Node only). The contents
 * say which format it is. Nothing in a file is ever executed.
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
  if (typeof source !== "string") return parse(source, options);
  const bytes = await readPath(source);
  try {
    return parse(bytes, options);
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    throw new CheckpointError(`${source}: ${error.message}`, { cause: error });
  }
}

function parse(bytes: Uint8Array, { entry }: ReadOptions): Checkpoint {
  checkBytes("readCheckpoint", bytes, "bytes in a Uint8Array, or a path in Node");
  // The first bytes of a PyTorch file may be the length of a safetensors header too, which then follows as "{".
  if (isPyTorch(bytes) && bytes[8] !== 0x7b) return readPyTorch(bytes, { entry });
  const all = readSafetensors(bytes);
  if (entry === undefined) return all;
  const inside = underPrefix(all, `${entry}.`);
  if (inside.size === 0) throw new CheckpointError(`safetensors: no name starts with "${entry}.".`);
  return new Checkpoint(inside, all.metadata);
}

async function readPath(path: string): Promise<Uint8Array> {
  if (typeof process === "undefined" || !process.versions?.node) {
    throw new CheckpointError(
      `readCheckpoint: there are no paths in a browser: read "${path}" yourself and pass the bytes.`,
    );
  }
  // Through a variable, so that bundlers for browsers leave it alone.
  const files = "node:fs/promises";
  const { readFile } = (await import(/* @vite-ignore */ files)) as typeof import("node:fs/promises");
  try {
    return await readFile(path);
  } catch (error) {
    throw new CheckpointError(`readCheckpoint: ${path} cannot be read: ${(error as Error).message}.`, {
      cause: error,
    });
  }
}
