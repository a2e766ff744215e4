/** Small trees of files in a temporary folder, for tests of data sets and pictures. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { DataError } from "../src/errors.ts";
import { createImage, type Image } from "../src/images/image.ts";
import { encodePng } from "../src/images/png.ts";

/** A file by its path: a small gray picture, unless it says what is in it. */
export type Entry = string | readonly [path: string, content: Image | Uint8Array | string];

export class Tree {
  readonly root = mkdtempSync(join(tmpdir(), "ddad-datasets-"));

  /** Writes files below the root, with their folders. */
  write(...entries: readonly Entry[]): void {
    for (const entry of entries) {
      const [name, content] = typeof entry === "string" ? [entry, createImage(4, 4, 1, [9, 9, 9])] : entry;
      const path = this.path(name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, typeof content === "string" || "buffer" in content ? content : encodePng(content));
    }
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  remove(): void {
    rmSync(this.root, { recursive: true });
  }
}

/** Expects a DataError with this in its sentence. */
export async function refuses(promise: Promise<unknown>, message: string | RegExp): Promise<void> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error, "nothing was refused").to.be.instanceOf(DataError);
  const sentence = (error as DataError).message;
  if (typeof message === "string") expect(sentence).to.include(message);
  else expect(sentence).to.match(message);
}
