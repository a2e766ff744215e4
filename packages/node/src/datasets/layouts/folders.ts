/**
 * Layouts in which folders say what an image is: MVTec AD (`train/good`, `test/<good or a kind>`, `ground_truth/<kind>`;
 * also VisA as its authors' script prepares it), BTAD (the same with `ok` and `ko`), and a folder of good images, with
 * or without a test folder.
 */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DataError, formatNames, type Sample, type Samples } from "@ddad/ddad/internal";
import { listed, listFolders, listImages, requireFolder, stemOf } from "../listing.ts";

/** @param test folder with the test images, where it is not `test` below the data set. */
export function readTree(folder: string, good: "good" | "ok", test?: string): Samples {
  return { train: goodSamples(join(folder, "train", good), `train/${good}/`), ...testSamples(folder, test) };
}

/** @param test as for `readTree`. */
export function readFolder(folder: string, test?: string): Samples {
  return { train: goodSamples(folder, ""), ...testSamples(folder, test) };
}

function goodSamples(folder: string, prefix: string): Sample[] {
  const names = listImages(folder);
  if (names.length === 0)
    throw new DataError(`${folder} holds no images; it should hold good ones, as ${formatNames} files.`);
  return names.map((name) => ({ id: prefix + name, path: join(folder, name), label: 0, kind: "good" }));
}

/** Folders of good test images; every other is a kind of defect. */
const goodNames = ["good", "ok"];

function testSamples(folder: string, given: string | undefined): Omit<Samples, "train"> {
  const test = given ?? join(folder, "test");
  if (given !== undefined) requireFolder(given);
  if (!existsSync(test)) return { test: [], hasMasks: false, strayMasks: [] };
  const loose = listImages(test);
  if (loose.length > 0) {
    throw new DataError(
      `${test} does not say whether its images are good (${listed(loose)}); ` +
        "sort them into a folder good and one folder for every kind of defect.",
    );
  }
  const samples = listFolders(test).flatMap((name) =>
    listImages(join(test, name)).map((file): Sample => {
      const found = { id: `test/${name}/${file}`, path: join(test, name, file) };
      return goodNames.includes(name)
        ? { ...found, label: 0, kind: "good" }
        : { ...found, label: 1, kind: name };
    }),
  );
  if (samples.length === 0) {
    throw new DataError(
      `${test} holds no images; it should hold a folder good and one for every kind of defect.`,
    );
  }
  const truth = join(dirname(resolve(test)), "ground_truth");
  if (!existsSync(truth)) return { test: samples, hasMasks: false, strayMasks: [] };
  return { ...attachMasks(samples, truth), hasMasks: true };
}

/** Masks are named `<image>_mask`, or like the image, and lie in a folder of its kind's name. */
function attachMasks(samples: readonly Sample[], truth: string): { test: Sample[]; strayMasks: string[] } {
  const masks = new Map<string, string>();
  for (const kind of listFolders(truth)) {
    if (goodNames.includes(kind)) continue;
    for (const name of listImages(join(truth, kind)))
      masks.set(`${kind}/${stemOf(name)}`, join(truth, kind, name));
  }
  const used = new Set<string>();
  const test = samples.map((sample): Sample => {
    const stem = `${sample.kind}/${stemOf(sample.path)}`;
    const maskPath = sample.label === 1 ? (masks.get(`${stem}_mask`) ?? masks.get(stem)) : undefined;
    if (maskPath === undefined) return sample;
    used.add(maskPath);
    return { ...sample, maskPath };
  });
  return { test, strayMasks: [...masks.values()].filter((path) => !used.has(path)) };
}
