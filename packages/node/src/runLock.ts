/** One process at a time writes into the folder of a run. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { DataError } from "@ddad/ddad/internal";
import { cannot } from "./files.ts";

/** Folders that this process holds, and how often: a stage may call another. */
const held = new Map<string, number>();

/**
 * Keeps other processes out of a folder until it is disposed of. A lock of a process that is gone does not count.
 *
 * @throws DataError where another process works in the folder, or nothing can be written there
 */
export function lockRun(folder: string): Disposable {
  const path = join(resolve(folder), ".lock");
  const count = held.get(path) ?? 0;
  if (count === 0) acquire(path, folder);
  held.set(path, count + 1);
  return {
    [Symbol.dispose]() {
      const left = held.get(path)! - 1;
      held.set(path, left);
      if (left === 0) rmSync(path, { force: true });
    },
  };
}

function acquire(path: string, folder: string): void {
  const own = JSON.stringify({ process: process.pid, host: hostname() });
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      mkdirSync(folder, { recursive: true });
      writeFileSync(path, own, { flag: "wx" });
      // What a process that was killed has left half-written.
      for (const name of readdirSync(folder))
        if (name.endsWith(".partial")) rmSync(join(folder, name), { force: true });
      return;
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
