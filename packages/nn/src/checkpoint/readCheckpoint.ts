/** Opens a file of weights, whatever its format. */
import { CheckpointError } from "../errors.ts";
import { type Checkpoint, readSafetensors } from "./safetensors.ts";

/**
 * Reads weights from bytes, or from a path (Node only). Nothing in a file is ever executed.
 *
 * @returns the arrays by name (a state dict for `loadStateDict`) with the file's `metadata`
 * @throws CheckpointError with a sentence that names the file
 */
export async function readCheckpoint(source: Uint8Array | string): Promise<Checkpoint> {
  if (typeof source !== "string") return parse(source);
  const bytes = await readPath(source);
  try {
    return parse(bytes);
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    throw new CheckpointError(`${source}: ${error.message}`, { cause: error });
  }
}

function parse(bytes: Uint8Array): Checkpoint {
  const starts = (...prefix: number[]): boolean => prefix.every((byte, i) => bytes[i] === byte);
  // A zip archive (torch.save since 1.6) starts with "PK", a pickle stream with the opcode PROTO. Both may be the length
  // of a safetensors header too, which then follows as "{".
  if ((starts(0x50, 0x4b) || starts(0x80)) && bytes[8] !== 0x7b) {
    throw new CheckpointError(
      "This is a PyTorch file (.pth, .pt); only safetensors can be read. " +
        "Convert it in Python with safetensors.torch.save_file(state_dict, path).",
    );
  }
  return readSafetensors(bytes);
}

async function readPath(path: string): Promise<Uint8Array> {
  if (typeof process === "undefined" || !process.versions?.node) {
    throw new CheckpointError(`There are no paths in a browser: read "${path}" yourself and pass the bytes.`);
  }
  // Through a variable, so that bundlers for browsers leave it alone.
  const files = "node:fs/promises";
  const { readFile } = (await import(/* @vite-ignore */ files)) as typeof import("node:fs/promises");
  try {
    return await readFile(path);
  } catch (error) {
    throw new CheckpointError(`${path} cannot be read: ${(error as Error).message}.`, { cause: error });
  }
}
