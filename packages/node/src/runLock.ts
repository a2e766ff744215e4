/** One process at a time writes into the folder of a run. */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { DataError } from "@ddad/ddad/internal";
import { cannot } from "./files.ts";

/** Locks that this process holds, how often (a stage may call another), and the folders that were made for them. */
const locks = new Map<string, { count: number; readonly made: readonly string[] }>();

/**
 * Keeps other processes out of a folder until it is disposed of. A lock of a process that is gone does not count.
 *
 * @throws DataError where another process works in the folder, or nothing can be written there
 */
export function lockRun(folder: string): Disposable {
  const path = join(resolve(folder), ".lock");
  const lock = locks.get(path) ?? { count: 0, made: acquire(path, folder) };
  locks.set(path, lock);
  lock.count++;
  return {
    [Symbol.dispose]() {
      if (--lock.count > 0) return;
      locks.delete(path);
      rmSync(path, { force: true });
      for (const made of lock.made) removeIfEmpty(made);
    },
  };
}

/** A stage that failed before it wrote anything leaves no folder behind. */
function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It holds the run.
  }
}

/** Writes the lock. @returns the folders that were made for it, the innermost first */
function acquire(path: string, folder: string): string[] {
  const own = JSON.stringify({ process: process.pid, host: hostname() });
  const made: string[] = [];
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      made.push(...makeFolder(dirname(path)));
      writeFileSync(path, own, { flag: "wx" });
      // What a process that was killed has left half-written.
      for (const name of readdirSync(folder))
        if (name.endsWith(".partial")) rmSync(join(folder, name), { force: true });
      return made;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw cannot("write", path, error);
    }
    const owner = ownerOf(path);
    if (owner !== undefined) {
      throw new DataError(
        `Process ${owner.process} on ${owner.host} is working in ${folder}; wait for it, or choose another folder. If it is gone, remove ${path}.`,
      );
    }
    rmSync(path, { force: true });
  }
  throw new DataError(`Another process is starting in ${folder}; wait for it, or choose another folder.`);
}

/** Makes a folder with those above it. @returns those that were not there, the innermost first */
function makeFolder(folder: string): string[] {
  const first = mkdirSync(folder, { recursive: true });
  if (first === undefined) return [];
  const made = [folder];
  while (made.at(-1) !== resolve(first)) made.push(dirname(made.at(-1)!));
  return made;
}

/** Who holds a lock; undefined where the process is gone, or the lock is damaged. */
function ownerOf(path: string): { readonly process: number; readonly host: string } | undefined {
  try {
    const owner = JSON.parse(readFileSync(path, "utf8")) as { process: number; host: string };
    if (owner.host !== hostname()) return owner; // nobody here can tell
    process.kill(owner.process, 0); // throws where there is no such process
    return owner;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
      ? { process: Number.NaN, host: hostname() }
      : undefined;
  }
}
