/** The store of choices in a browser: a file in the origin's private file system. */
import type { TuningStore } from "./store.ts";

const file = "ddad-tuning.json";

/** Undefined where the browser offers no such file system: outside of secure contexts, or in an old one. */
export function tuningStore(): TuningStore | undefined {
  if (typeof navigator === "undefined" || !navigator.storage?.getDirectory) return undefined;
  const handle = async (create: boolean) =>
    (await navigator.storage.getDirectory()).getFileHandle(file, { create });
  return {
    place: `${file} of the origin's private file system`,
    async read() {
      try {
        return await (await (await handle(false)).getFile()).text();
      } catch (error) {
        if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
        throw error;
      }
    },
    async write(text) {
      // What is written takes the file's place when the stream is closed.
      const stream = await (await handle(true)).createWritable();
      await stream.write(text);
      await stream.close();
    },
  };
}
