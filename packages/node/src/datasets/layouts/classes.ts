/**
 * Class folders: one named `good`, `ok`, `normal` or `pass`, and any others, such as `bad`, `nok` or `scratch`, each a kind of
 * defect; masks in `ground_truth/<kind>` or `masks/<kind>`. About a fifth of the good images is tested with, chosen by the
 * hashes of their ids.
 */
import { join } from "node:path";
import { DataError, divideByHash, formatNames, type Sample, testFraction } from "@ddad/ddad/internal";
import { isFolder, isOutputFolder, listed, listFolders, listImages } from "../listing.ts";
import type { Layout } from "./layout.ts";
import { kindSamples, withMasks } from "./tree.ts";
import { isGoodWord, isMaskFolder, isSplitFolder } from "./words.ts";

export const classes: Layout = {
  looks: "good (ok, normal) and bad (nok, ng, or one folder for every kind of defect)",
  matches: (folder) => {
    const names = listFolders(folder);
    return names.some(isGoodWord) && !names.some(isSplitFolder);
  },
  read: (folder, { splitSeed = 0 }) => {
    const names = listFolders(folder).filter(
      (name) => !isMaskFolder(name) && !isOutputFolder(join(folder, name)),
    );
    const samples = names.flatMap((name) => kindSamples(folder, name));
    const good = samples.filter(({ label }) => label === 0);
    if (good.length === 0) {
      const place = join(folder, names.find(isGoodWord)!);
      throw new DataError(`${place} holds no images; it should hold good ones, as ${formatNames} files.`);
    }
    const defective = samples.filter(({ label }) => label === 1);
    // Without defective images there is nothing to evaluate: all good ones are for training.
    const tested = new Set(defective.length === 0 ? [] : testImages(good, splitSeed));
    const masks = ["ground_truth", "masks"].map((name) => join(folder, name)).find(isFolder);
    const test = samples.filter((sample) => sample.label === 1 || tested.has(sample));
    const loose = listImages(folder);
    return {
      train: good.filter((sample) => !tested.has(sample)),
      ...(masks === undefined ? { test, hasMasks: false, strayMasks: [] } : withMasks(test, masks)),
      ...(loose.length > 0 && {
        notices: [`${folder} also holds images outside its folders (${listed(loose)}): left out`],
      }),
    };
  },
  otherTest: false,
};

/** A fifth by hashes; of a few images at least one and at most a third, but one is always trained on. */
function testImages(good: readonly Sample[], seed: number): Sample[] {
  return divideByHash(good, {
    purpose: "test",
    fraction: testFraction,
    seed,
    least: Math.min(1, good.length - 1),
    most: Math.ceil(good.length / 3),
  });
}
