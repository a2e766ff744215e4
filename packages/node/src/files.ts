/** Files that are there whole or not at all, and errors of the file system in sentences. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, resolve, sep } from "node:path";
import { DataError } from "@ddad/ddad/internal";

/** By folder: called before a file below it is written. */
const guards = new Map<string, () => void>();

/** Has a function called before each file below a folder is written; it may throw. One a folder; undefined takes it away. */
export function guardFolder(folder: string, guard: (() => void) | undefined): void {
  if (guard) guards.set(resolve(folder), guard);
  else guards.delete(resolve(folder));
}

/**
 * Writes a file under a temporary name and renames it, so that whoever opens it finds the old contents or the new ones,
 * also after a crash, and also where several processes write it. Makes its folder.
 *
 * @throws DataError that names the file and the cure where the system refuses, and what a guard of its folder throws
 */
export function writeWhole(path: string, contents: Uint8Array | string): void {
  const absolute = resolve(path);
  for (const [folder, guard] of guards) if (absolute.startsWith(folder + sep)) guard();
  const partial = `${path}.${process.pid}.partial`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(partial, "w");
    try {
      writeFileSync(file, contents);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(partial, path);
  } catch (error) {
    removeQuietly(partial);
    throw cannot("write", path, error);
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // What went wrong before is what matters.
  }
}

/** An error of the file system as a sentence; another error as it is. @param what is done, such as `write` */
export function cannot(what: "read" | "write", path: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const reason = code === undefined ? undefined : reasons[code];
  if (reason === undefined) return error;
  return new DataError(`${path} cannot be ${what === "read" ? "read" : "written"}: ${reason}.`, {
    cause: error,
  });
}

/** Codes of the system by what they mean, and what to do. */
const reasons: Readonly<Record<string, string>> = {
  ENOSPC: "there is no space left on the disk; what was saved before is whole. Free some, and resume",
  EDQUOT: "your quota of disk space is used up; what was saved before is whole. Free some, and resume",
  EROFS: "the disk is read-only; choose another folder",
  EACCES: "permission is denied; change its permissions, or choose another folder",
  EPERM: "the system does not permit it; change its permissions, or choose another folder",
  ENOTDIR: "a part of the path is a file, not a folder; choose another folder",
  EEXIST: "a file is in the place of a folder; choose another folder",
  EISDIR: "a folder is in the place of the file; remove it, or choose another folder",
  ENOTEMPTY: "a folder is in the place of the file; remove it, or choose another folder",
  ELOOP: "it is a link to itself; remove the link",
  ENAMETOOLONG: "its name is too long; choose a shorter one",
  ENOENT: "the folder does not exist and cannot be made; choose another folder",
  EMFILE: "too many files are open; raise the limit (ulimit -n)",
  EIO: "the disk reports an error",
};
