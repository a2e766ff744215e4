/**
 * The magnetic tile defects as published (Huang, Qiu, Yuan, "Surface defect saliency of magnetic tile", 2020):
 * `MT_Free/Imgs/*.jpg` are good, `MT_<Kind>/Imgs/*.jpg` are not, with a mask of the same name beside each as `.png`. The
 * data set does not say which good ones to test with: a fifth of them, by the hash of their ids.
 */
import { join } from "node:path";
import { DataError, isTestImage, type Sample, type Samples } from "@ddad/ddad/internal";
import { extensionOf, isFolder, listFolders, listImages, stemOf } from "../listing.ts";
import type { Layout } from "./layout.ts";

export const mtd: Layout = {
  looks: "MT_Free/Imgs, MT_<kind of defect>/Imgs",
  matches: (folder) => isFolder(join(folder, "MT_Free", "Imgs")),
  read: (folder, { splitSeed = 0 }) => readMtd(folder, splitSeed),
  otherTest: false,
};

function readMtd(folder: string, seed: number): Samples {
  const samples: Samples = { train: [], test: [], hasMasks: true, strayMasks: [] };
  for (const name of listFolders(folder)) {
    const images = join(folder, name, "Imgs");
    if (!name.startsWith("MT_") || !isFolder(images)) continue;
    const isGood = name === "MT_Free";
    const files = listImages(images);
    const masks = new Map(
      files.filter((file) => extensionOf(file) === ".png").map((file) => [stemOf(file), join(images, file)]),
    );
    for (const file of files) {
      if (extensionOf(file) === ".png") continue;
      const found = { id: `${name}/Imgs/${file}`, path: join(images, file) };
      if (isGood) {
        const good: Sample = { ...found, label: 0, kind: "good" };
        (isTestImage(good.id, seed) ? samples.test : samples.train).push(good);
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
      `${join(folder, "MT_Free", "Imgs")} holds no images; the good ones, .jpg files, belong there.`,
    );
  }
  return samples;
}
