/**
 * Data sets on disk: the layout of MVTec AD (`train/good`, `test/<good or a kind of defect>`, `ground_truth/<kind>`),
 * or a plain folder of good pictures, with or without a test folder.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { DataError } from "../errors.ts";
import type { Dataset, ImageFile, Sample } from "./sample.ts";

export type DatasetOptions = {
  /** Folder below the root, for a root that holds several data sets. */
  category?: string | undefined;
  /** Folder with `good` and one folder for every kind of defect; otherwise `test` below the data set. */
  test?: string | undefined;
};

/**
 * Finds the pictures of a data set; decodes none. Everything is sorted by name, the same on every system.
 *
 * Masks are looked for in `ground_truth` beside the test folder, named `<image>_mask.png` or like the image. Without
 * that folder no sample has a mask; with it every defective one must.
 *
 * @throws DataError when a folder is missing or empty, a picture is no PNG, or a mask is missing.
 */
export function openDataset(root: string, options: DatasetOptions = {}): Dataset {
  const folder = categoryFolder(root, options.category);
  const train = trainSamples(folder);
  if (options.test !== undefined) requireFolder(options.test);
  const test = options.test ?? join(folder, "test");
  return { name: basename(resolve(folder)), train, test: existsSync(test) ? testSamples(test) : [] };
}

/** The pictures to inspect: one file, or everything below a folder. @throws DataError when there are none. */
export function findImages(path: string): ImageFile[] {
  if (!existsSync(path)) throw new DataError(`${path} does not exist; give a PNG file or a folder of them.`);
  if (!statSync(path).isDirectory()) {
    if (!isPng(path)) throw new DataError(`${path} is not a PNG file; convert it to PNG first.`);
    return [{ id: basename(path), path }];
  }
  const files = walk(path, "");
  if (files.length === 0) throw new DataError(`${path} holds no pictures; it should hold PNG files.`);
  return files;
}

function walk(folder: string, prefix: string): ImageFile[] {
  const here = listImages(folder).map((name) => ({ id: prefix + name, path: join(folder, name) }));
  const below = listFolders(folder).flatMap((name) => walk(join(folder, name), `${prefix}${name}/`));
  return [...here, ...below];
}

function categoryFolder(root: string, category: string | undefined): string {
  requireFolder(root);
  if (category === undefined) return root;
  const folder = join(root, category);
  if (!existsSync(folder)) {
    throw new DataError(
      `${root} has no category "${category}"; its folders are: ${listed(listFolders(root))}.`,
    );
  }
  return folder;
}

function trainSamples(folder: string): Sample[] {
  const { good, prefix } = goodFolder(folder);
  const names = listImages(good);
  if (names.length === 0)
    throw new DataError(`${good} holds no pictures; it should hold good ones, as PNG files.`);
  return names.map((name) => ({ id: prefix + name, path: join(good, name), label: 0, kind: "good" }));
}

/** Where the good training pictures are: `train/good`, or the folder itself. */
function goodFolder(folder: string): { good: string; prefix: string } {
  if (existsSync(join(folder, "train"))) {
    const good = join(folder, "train", "good");
    if (existsSync(good)) return { good, prefix: "train/good/" };
    const found = listed(listFolders(join(folder, "train")));
    throw new DataError(`${good} does not exist; the good pictures belong there (train holds: ${found}).`);
  }
  if (listImages(folder).length > 0) return { good: folder, prefix: "" };
  const categories = listFolders(folder).filter((name) => existsSync(join(folder, name, "train", "good")));
  if (categories.length > 0) {
    throw new DataError(
      `${folder} holds several data sets (${listed(categories)}); choose one with data.category.`,
    );
  }
  throw new DataError(
    `${folder} is no data set: it has neither train/good nor PNG files of its own; ` +
      "give a folder of good pictures, or one in the layout of MVTec AD.",
  );
}

function testSamples(test: string): Sample[] {
  const loose = listImages(test);
  if (loose.length > 0) {
    throw new DataError(
      `${test} does not say whether its pictures are good (${listed(loose)}); ` +
        "sort them into a folder good and one folder for every kind of defect.",
    );
  }
  const samples = listFolders(test).flatMap((kind) =>
    listImages(join(test, kind)).map((name): Sample => {
      const path = join(test, kind, name);
      return { id: `test/${kind}/${name}`, path, label: kind === "good" ? 0 : 1, kind };
    }),
  );
  if (samples.length === 0) {
    throw new DataError(
      `${test} holds no pictures; it should hold a folder good and one for every kind of defect.`,
    );
  }
  const truth = join(dirname(resolve(test)), "ground_truth");
  return existsSync(truth) ? attachMasks(samples, truth) : samples;
}

function attachMasks(samples: readonly Sample[], truth: string): Sample[] {
  const missing: string[] = [];
  const withMasks = samples.map((sample): Sample => {
    if (sample.label === 0) return sample;
    const name = basename(sample.path);
    const stem = name.slice(0, -extname(name).length);
    const candidates = [`${stem}_mask.png`, name].map((mask) => join(truth, sample.kind, mask));
    const maskPath = candidates.find((path) => existsSync(path));
    if (maskPath !== undefined) return { ...sample, maskPath };
    missing.push(`${sample.kind}/${name}`);
    return sample;
  });
  if (missing.length === 0) return withMasks;
  throw new DataError(
    `${truth} has no mask for ${missing.length} of the defective pictures (${listed(missing)}); ` +
      "add them, or remove that folder to go without pixel metrics.",
  );
}

/** Names of the PNG files of a folder, sorted. @throws DataError naming pictures of other formats: none is skipped silently. */
function listImages(folder: string): string[] {
  const names = visibleEntries(folder, false);
  const foreign = names.filter((name) => otherFormats.has(extname(name).toLowerCase()));
  if (foreign.length > 0) {
    throw new DataError(
      `${folder} holds ${foreign.length} pictures that are not PNG (${listed(foreign)}); convert them to PNG or move them away.`,
    );
  }
  return names.filter(isPng);
}

const otherFormats = new Set([
  ".jpg",
  ".jpeg",
  ".bmp",
  ".tif",
  ".tiff",
  ".webp",
  ".gif",
  ".heic",
  ".avif",
  ".ppm",
]);

const isPng = (name: string): boolean => extname(name).toLowerCase() === ".png";

const listFolders = (folder: string): string[] => visibleEntries(folder, true);

/** Sorted by code units, not by language, so that no system orders them differently. */
function visibleEntries(folder: string, directories: boolean): string[] {
  requireFolder(folder);
  return readdirSync(folder)
    .filter((name) => !name.startsWith(".") && isFolder(join(folder, name)) === directories)
    .sort();
}

/** A link to nothing counts as a file, to be named when it is read. */
const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

function requireFolder(folder: string): void {
  if (!existsSync(folder)) throw new DataError(`The folder ${folder} does not exist.`);
  if (!statSync(folder).isDirectory()) throw new DataError(`${folder} is a file; a folder is needed here.`);
}

/** The first few names and how many more there are. */
function listed(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const more = names.length > 4 ? ` and ${names.length - 4} more` : "";
  return names.slice(0, 4).join(", ") + more;
}
