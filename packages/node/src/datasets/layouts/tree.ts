/** What layouts have in common in which folders say what an image is. */
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { DataError, formatNames, type Sample, type Samples } from "@ddad/ddad/internal";
import {
  listed,
  listFolders,
  listImages,
  listImagesBelow,
  requireFolder,
  withoutEnding,
} from "../listing.ts";
import { isGoodWord, isMaskFolder } from "./words.ts";

/**
 * Good images below a folder.
 *
 * @param prefix of their ids
 * @param skips as for `listImagesBelow`
 * @throws DataError when there are none
 */
export function goodSamples(folder: string, prefix: string, skips?: (path: string) => boolean): Sample[] {
  const names = existsSync(folder) ? listImagesBelow(folder, skips) : [];
  if (names.length === 0)
    throw new DataError(`${folder} holds no images; it should hold good ones, as ${formatNames} files.`);
  return names.map((name) => ({ id: prefix + name, path: join(folder, name), label: 0, kind: "good" }));
}

/** The validation images of a layout that has them, `validation/good`. */
export const validationSamples = (folder: string): Sample[] =>
  goodSamples(join(folder, "validation", "good"), "validation/good/");

/** A notice on folders beside the good training images, which are not trained on. */
export function noticesBeside(train: string, good: string): string[] {
  const others = listFolders(train).filter((name) => name !== good);
  return others.length === 0
    ? []
    : [`${train} also holds ${listed(others)}: left out, as only ${good} is trained on`];
}

/**
 * The test images of a folder: in one folder for good ones and one for every kind of defect, each with its sub-folders.
 *
 * @param id what their ids begin with
 * @param truth folder of the masks; without it one named `ground_truth`, in the folder or beside it
 */
export function testSamples(test: string, id = "test", truth?: string): Omit<Samples, "train"> {
  const loose = listImages(test);
  if (loose.length > 0) {
    throw new DataError(
      `${test} does not say whether its images are good (${listed(loose)}); ` +
        "sort them into a folder good and one folder for every kind of defect.",
    );
  }
  const kinds = listFolders(test).filter((name) => !isMaskFolder(name));
  const samples = kinds.flatMap((name) => kindSamples(test, name, `${id}/`));
  if (samples.length === 0) {
    throw new DataError(
      `${test} holds no images; it should hold a folder good and one for every kind of defect.`,
    );
  }
  const inside = join(test, "ground_truth");
  const masks = truth ?? (existsSync(inside) ? inside : join(dirname(resolve(test)), "ground_truth"));
  return withMasks(samples, masks, `${id}/`);
}

/** The test images that lie in `test` below a data set, or in a folder that was given; none where there is no such folder. */
export function testOf(folder: string, given: string | undefined): Omit<Samples, "train"> {
  if (given !== undefined) requireFolder(given);
  const test = given ?? join(folder, "test");
  return existsSync(test) ? testSamples(test) : { test: [], hasMasks: false, strayMasks: [] };
}

/** The images of one folder, which are good or of a kind of defect by its name. */
export function kindSamples(parent: string, name: string, prefix = ""): Sample[] {
  return listImagesBelow(join(parent, name)).map((file): Sample => {
    const found = { id: `${prefix}${name}/${file}`, path: join(parent, name, file) };
    return isGoodWord(name) ? { ...found, label: 0, kind: "good" } : { ...found, label: 1, kind: name };
  });
}

/**
 * Test images with their masks from `<truth>/<kind>`. The mask of an image has its path below the folder of its kind, with or
 * without `_mask`; or is a folder of that name, whose masks are merged; or lies in the kind's folder itself, where no
 * other image of the kind has its name.
 *
 * @param prefix of the samples' ids
 */
export function withMasks(samples: readonly Sample[], truth: string, prefix = ""): Omit<Samples, "train"> {
  if (!existsSync(truth)) return { test: [...samples], hasMasks: false, strayMasks: [] };
  const files = new Map<string, string>();
  for (const kind of listFolders(truth)) {
    if (isGoodWord(kind)) continue;
    for (const name of listImagesBelow(join(truth, kind)))
      files.set(withoutEnding(`${kind}/${name}`), join(truth, kind, name));
  }
  const folders = new Map<string, string[]>();
  for (const [key, path] of files) {
    const parent = dirname(key);
    folders.set(parent, [...(folders.get(parent) ?? []), path]);
  }
  const defective = samples.filter(({ label }) => label === 1);
  const flat = ({ kind, path }: Sample): string => `${kind}/${withoutEnding(basename(path))}`;
  const sharers = new Map<string, number>();
  for (const sample of defective) sharers.set(flat(sample), (sharers.get(flat(sample)) ?? 0) + 1);
  const used = new Set<string>();
  const test = samples.map((sample): Sample => {
    if (sample.label === 0) return sample;
    const key = withoutEnding(sample.id.slice(prefix.length)); // "<kind>/<path below its folder>"
    const keys = sharers.get(flat(sample)) === 1 ? [key, flat(sample)] : [key];
    const file = keys.flatMap((name) => [files.get(`${name}_mask`), files.get(name)]).find(Boolean);
    if (file !== undefined) {
      used.add(file);
      return { ...sample, maskPath: file };
    }
    const folder = keys.map((name) => folders.get(name)).find(Boolean);
    if (folder === undefined) return sample;
    for (const path of folder) used.add(path);
    return { ...sample, maskPath: dirname(folder[0]!) };
  });
  return { test, hasMasks: true, strayMasks: [...files.values()].filter((path) => !used.has(path)) };
}
