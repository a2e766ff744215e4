/** One process at a time writes into the folder of a run. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { DataError } from "@ddad/ddad/internal";
import { cannot, guardFolder, writeWhole } from "./files.ts";

/** A lock that this process holds. */
type Lock = {
  /** How often: a stage may call another. */
  count: number;
  /** Folders that were made for it. */
  readonly made: readonly string[];
  /** Contents of the files that must stay, by path. */
  readonly kept: Map<string, string>;
  tell: ((message: string) => void) | undefined;
};

const locks = new Map<string, Lock>();

/** The folder of a run, kept from other processes. */
export interface RunLock extends Disposable {
  /**
   * From now on these files are part of the run: where they are gone before another file is written, because somebody removed the
   * folder, they are written again as they are now. Those that are not there are left out.
   *
   * @param tell called with a sentence where that happens
   */
  keep(names: readonly string[], tell: (message: string) => void): void;
}

/**
 * Keeps other processes out of a folder until it is disposed of. A lock of a process that is gone does not count. Before each file that
 * `writeWhole` puts there, the lock is looked at again.
 *
 * @throws DataError where another process works in the folder, or nothing can be written there
 */
export function lockRun(folder: string): RunLock {
  const path = join(resolve(folder), ".lock");
  const lock = locks.get(path) ?? {
    ...{ count: 0, made: acquire(path, folder), kept: new Map<string, string>(), tell: undefined },
  };
  locks.set(path, lock);
  guardFolder(folder, () => check(lock, path, folder));
  lock.count++;
  return {
    keep(names, tell) {
      for (const file of names.map((name) => join(resolve(folder), name)))
        if (existsSync(file)) lock.kept.set(file, readFileSync(file, "utf8"));
      lock.tell = tell;
    },
    [Symbol.dispose]() {
      if (--lock.count > 0) return;
      locks.delete(path);
      guardFolder(folder, undefined);
      if (holds(path)) rmSync(path, { force: true });
      for (const made of lock.made) removeIfEmpty(made);
    },
  };
}

/** Puts back what somebody removed from a folder in which this process works. @throws DataError where another run took its place */
function check({ kept, tell }: Lock, path: string, folder: string): void {
  if (!holds(path)) {
    acquire(path, folder);
    if ([...kept].some(([file, contents]) => existsSync(file) && readFileSync(file, "utf8") !== contents)) {
      rmSync(path, { force: true });
      throw new DataError(
        `Another run took the place of this one in ${folder}, so nothing more is written there. Start this one again in another folder (--out).`,
      );
    }
  }
  const gone = [...kept].filter(([file]) => !existsSync(file));
  if (gone.length === 0) return;
  // The lock is there and so are they, one after the other: this is not called again for them.
  for (const [file] of gone) kept.delete(file);
  for (const [file, contents] of gone) {
    writeWhole(file, contents);
    kept.set(file, contents);
  }
  tell?.(
    `${gone.map(([file]) => basename(file)).join(" and ")} of ${folder} ${gone.length === 1 ? "was" : "were"} removed while this command works there, ` +
      "and written again. What else was removed is gone: files of earlier stages and checkpoints.",
  );
}

/** What a lock of this process holds. */
const own = (): string => JSON.stringify({ process: process.pid, host: hostname() });

/** Whether a lock is there and this process's. */
function holds(path: string): boolean {
  try {
    return readFileSync(path, "utf8") === own();
  } catch {
    return false;
  }
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
  const made: string[] = [];
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      made.push(...makeFolder(dirname(path)));
    } catch (error) {
      // Not as below: EEXIST says here that the folder is a file.
      throw cannot("write", folder, error);
    }
    try {
      writeFileSync(path, own(), { flag: "wx" });
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
