/** The store of choices in Node: a file. */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { TuningStore } from "./store.ts";

/** `DDAD_TUNING` names another file than the one in the user's cache folder, or is `off`: then there is none. */
export function tuningStore(): TuningStore | undefined {
  const { DDAD_TUNING: wanted } = process.env;
  return wanted === "off" ? undefined : fileStore(wanted || join(cacheFolder(), "tuning.json"));
}

/** `DDAD_CACHE`, or where the platform keeps what can be made again. */
function cacheFolder(): string {
  const { DDAD_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (DDAD_CACHE) return DDAD_CACHE;
  if (process.platform === "win32") {
    return join(LOCALAPPDATA || join(homedir(), "AppData", "Local"), "ddad", "cache");
  }
  if (process.platform === "darwin") return join(homedir(), "Library", "Caches", "ddad");
  return join(XDG_CACHE_HOME || join(homedir(), ".cache"), "ddad");
}

export const fileStore = (file: string): TuningStore => ({
  place: file,
  async read() {
    try {
      return await readFile(file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  },
  async write(text) {
    await mkdir(dirname(file), { recursive: true });
    const temporary = `${file}.${process.pid}.tmp`;
    try {
      await writeFile(temporary, text);
      await rename(temporary, file);
    } finally {
      await rm(temporary, { force: true });
    }
  },
});
