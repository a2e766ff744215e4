/** Where the bytes of a checkpoint come from: memory, or a file that is read by parts. */
import { checkKind } from "../arguments.ts";
import { CheckpointError } from "../errors.ts";

/** Bytes that can be read from anywhere. */
export interface ByteSource {
  readonly size: number;
  /** Whether reading costs no more than a copy, so that all is read at once. */
  readonly inMemory: boolean;
  /** A copy of the bytes from `start` up to `end`, which must lie in the source, in a buffer of their own. */
  read(start: number, end: number): Uint8Array<ArrayBuffer>;
  /** The same bytes, but not a copy where they are in memory. */
  view(start: number, end: number): Uint8Array;
}

/**
 * The bytes of an array.
 *
 * @throws UsageError that names `op` unless `bytes` are a file's; by its tag, because Node's files may come from another realm
 */
export function memorySource(op: string, bytes: Uint8Array, kind = "bytes in a Uint8Array"): ByteSource {
  checkKind(op, "the file", bytes, Object(bytes)[Symbol.toStringTag] === "Uint8Array", kind);
  return {
    size: bytes.length,
    inMemory: true,
    read: (start, end) => new Uint8Array(bytes.subarray(start, end)),
    view: (start, end) => bytes.subarray(start, end),
  };
}

/** Node reads less than 2 GiB at once. */
const largestRead = 2 ** 30;

/** What is used of the module `node:fs`, spelt out: the declarations of the package must not need those of Node. */
export interface FileSystem {
  statSync(path: string): FileState;
  fstatSync(file: number): FileState;
  openSync(path: string, flags: string): number;
  closeSync(file: number): void;
  readSync(file: number, bytes: Uint8Array, offset: number, length: number, position: number): number;
}

interface FileState {
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
}

/**
 * The bytes of a file (Node only). It is opened for each part, and must not change meanwhile; errors name it.
 *
 * @param fs the module `node:fs`
 */
export function fileSource(path: string, fs: FileSystem): ByteSource {
  const first = fs.statSync(path);
  const fill = (file: number, bytes: Uint8Array, start: number): void => {
    const now = fs.fstatSync(file);
    if (now.ino !== first.ino || now.size !== first.size || now.mtimeMs !== first.mtimeMs) {
      throw new Error("it changed while it was in use. Read it again");
    }
    for (let done = 0; done < bytes.length; ) {
      const most = Math.min(largestRead, bytes.length - done);
      const count = fs.readSync(file, bytes, done, most, start + done);
      if (count === 0) throw new Error(`it ends at byte ${start + done}`);
      done += count;
    }
  };
  const read = (start: number, end: number): Uint8Array<ArrayBuffer> => {
    try {
      const bytes = new Uint8Array(end - start);
      const file = fs.openSync(path, "r");
      try {
        fill(file, bytes, start);
      } finally {
        fs.closeSync(file);
      }
      return bytes;
    } catch (error) {
      const { message } = error as Error;
      throw new CheckpointError(`readCheckpoint: ${path} cannot be read: ${message}.`, { cause: error });
    }
  };
  return { size: first.size, inMemory: false, read, view: read };
}
