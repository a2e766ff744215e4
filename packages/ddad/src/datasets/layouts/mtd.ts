/**
 * The magnetic tile defects as published (Huang, Qiu, Yuan, "Surface defect saliency of magnetic tile", 2020):
 * `MT_Free/Imgs/*.jpg` are good, `MT_<Kind>/Imgs/*.jpg` are not, with a mask of the same name beside each as `.png`. The
 * data set does not say which good ones to test with: a fifth of them, by the hash of their ids.
 */
import { join } from "node:path";
import { DataError } from "../../errors.ts";
import { extensionOf, isFolder, listFolders, listImages, stemOf } from "../listing.ts";
import type { Sample, Samples } from "../sample.ts";
import { isTestPicture } from "../split.ts";

export function readMtd(folder: string, seed: number): Samples {
  const samples: Samples = { train: [], test: [], hasMasks: true, strayMasks: [] };
  for (const name of listFolders(folder)) {
    const pictures = join(folder, name, "Imgs");
    if (!name.startsWith("MT_") || !isFolder(pictures)) continue;
    const isGood = name === "MT_Free";
    const files = listImages(pictures);
    const masks = new Map(
      files
        .filter((file) => extensionOf(file) === ".png")
        .map((file) => [stemOf(file), join(pictures, file)]),
    );
    for (const file of files) {
      if (extensionOf(file) === ".png") continue;
      const found = { id: `${name}/Imgs/${file}`, path: join(pictures, file) };
      if (isGood) {
        const good: Sample = { ...found, label: 0, kind: "good" };
        (isTestPicture(good.id, seed) ? samples.test : samples.train).push(good);
        continue;
      }
      const maskPath = masks.get(stemOf(file));
      masks.delete(stemOf(file));
      const kind = name.slice("MT_".length).toLowerCase();
      samples.test.push({ ...found, label: 1, kind, ...(maskPath !== undefined && { maskPath }) });
    }
    if (!isGood) samples.strayMasks.push(...masks.values());
  }
  if (samples.train.length === 0) {
    throw new DataError(
      `${join(folder, "MT_Free", "Imgs")} holds no pictures; the good ones, .jpg files, belong there.`,
    );
  }
  return samples;
}
