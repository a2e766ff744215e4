/** Small trees of files in a temporary folder, for tests of data sets and images. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect } from "chai";
import type { Dataset, Sample } from "../../ddad/src/data/sample.ts";
import { DataError } from "../../ddad/src/errors.ts";
import { createImage, type Image } from "../../ddad/src/images/image.ts";
import { maskImage } from "../../ddad/src/images/mask.ts";
import { openDataset } from "../src/datasets/dataset.ts";
import { loadImages, loadMasks } from "../src/datasets/load.ts";
import { encodePng } from "../src/images/png.ts";

/** A file by its path: a small gray image, unless it says what is in it. */
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

/** A tree that every test of a file begins anew, and what its tests say of the data sets in it. */
export function datasetTree() {
  let tree: Tree;
  beforeEach(() => {
    tree = new Tree();
  });
  afterEach(() => tree.remove());
  const path = (...parts: string[]): string => tree.path(...parts);
  const open = (name: string, options = {}): Dataset => openDataset(path(name), options);
  return {
    path,
    open,
    write: (...entries: readonly Entry[]): void => tree.write(...entries),
    /** Id, kind and, where there is one, the mask of each sample. */
    rows: (samples: readonly Sample[]): unknown[][] =>
      samples.map(({ id, kind, maskPath }) => [
        id,
        kind,
        ...(maskPath ? [maskPath.slice(tree.root.length + 1)] : []),
      ]),
    /** Expects that opening fails with this sentence, in which ROOT stands for the temporary folder. */
    refusesToOpen: (name: string, sentence: string, options = {}): void => {
      expect(() => open(name, options))
        .to.throw(DataError)
        .with.property("message")
        .that.includes(sentence.replaceAll("ROOT", tree.root));
    },
  };
}

/** An image in colour whose neighbouring values all differ. */
export const patternedImage = (width: number, height: number): Image => ({
  width,
  height,
  channels: 3,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 37 + (i >> 3) * 11) % 256),
});

/** Of 2 × 2 pixels the last is defective. */
export const cornerMask = maskImage(Uint8Array.of(0, 0, 0, 1), 2, 2);

/** Every image and every mask (a `cornerMask`) of a data set can be decoded. */
export async function decodes({ train, test }: Dataset): Promise<void> {
  expect((await loadImages([...train, ...test], 4)).count).to.equal(train.length + test.length);
  const defective = test.filter(({ label }) => label === 1);
  expect((await loadMasks(defective, 2)).map((values) => [...values])).to.deep.equal(
    defective.map(() => [0, 0, 0, 1]),
  );
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
