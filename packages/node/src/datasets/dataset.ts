/** Data sets on disk: which layout a folder has, and which images are in it. */
import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { DataError, type Dataset, type DatasetFormat } from "@ddad/ddad/internal";
import { btad } from "./layouts/btad.ts";
import { classes } from "./layouts/classes.ts";
import { folder } from "./layouts/folder.ts";
import type { DatasetOptions, Layout } from "./layouts/layout.ts";
import { isManifest, manifest } from "./layouts/manifest.ts";
import { mtd } from "./layouts/mtd.ts";
import { mvtec } from "./layouts/mvtec.ts";
import { mvtecAd2 } from "./layouts/mvtecAd2.ts";
import { mvtecLoco } from "./layouts/mvtecLoco.ts";
import { visa } from "./layouts/visa.ts";
import { isMaskFolder, isSplitFolder } from "./layouts/words.ts";
import { isFolder, listed, listFiles, listFolders, requireFolder, stemOf } from "./listing.ts";

export type { DatasetOptions } from "./layouts/layout.ts";

const layouts: { readonly [Format in DatasetFormat]: Layout } = {
  mvtec,
  "mvtec-ad-2": mvtecAd2,
  "mvtec-loco": mvtecLoco,
  btad,
  visa,
  mtd,
  manifest,
  classes,
  folder,
};

const formats = Object.keys(layouts) as DatasetFormat[];

/** Formats other than a plain folder's whose layout a folder has; where one is a special case of another, only that one. */
function formatsOf(root: string): DatasetFormat[] {
  const found = formats.filter((format) => format !== "folder" && layouts[format].matches(root));
  return found.filter((format) => !found.some((other) => layouts[other].refines === format));
}

/**
 * Finds the images of a data set; decodes none. The order is the same on every system.
 *
 * @param root folder of the data set, or a manifest
 * @param options its category, layout and test folder, where they are not to be found out
 * @returns the images for training, validation and testing, with their masks
 * @throws DataError when a folder is missing or empty, no layout or more than one fits, a file that is listed is missing,
 *   or a mask, or an image is for training and for testing
 */
export function openDataset(root: string, options: DatasetOptions = {}): Dataset {
  const dataset = findDataset(root, options);
  const { train, validation = [], test, hasMasks } = dataset;
  const listedFiles = [...train, ...validation, ...test].flatMap(({ path, maskPath }) =>
    maskPath ? [path, maskPath] : [path],
  );
  const lost = listedFiles.filter((path) => !existsSync(path));
  if (lost.length > 0) {
    throw new DataError(
      `The data set ${dataset.name} lists ${lost.length} files that do not exist: ${listed(lost)}.`,
    );
  }
  const trained = new Set([...train, ...validation].map(({ path }) => resolve(path)));
  const both = test.filter(({ path }) => trained.has(resolve(path))).map(({ id }) => id);
  if (both.length > 0) {
    throw new DataError(
      `${both.length} test images of the data set ${dataset.name} are training images, too (${listed(both)}); test with others.`,
    );
  }
  const unmasked = test.filter(({ label, maskPath }) => label === 1 && maskPath === undefined);
  if (hasMasks && unmasked.length > 0) {
    throw new DataError(
      `The data set ${dataset.name} has masks, but none for ${unmasked.length} of its defective images ` +
        `(${listed(unmasked.map(({ id }) => id))}); add them, or remove all masks to go without pixel metrics.`,
    );
  }
  return dataset;
}

/** As `openDataset`, also where files that are listed, or masks, are missing. */
export function findDataset(root: string, options: DatasetOptions = {}): Dataset {
  const folder = categoryFolder(root, options.category);
  const format = chooseFormat(folder, options.format);
  if (options.test !== undefined && !layouts[format].otherTest) {
    throw new DataError(
      `data.test cannot be set for ${folder}: the layout ${format} says itself what is tested with.`,
    );
  }
  const name = isFolder(folder) ? basename(resolve(folder)) : stemOf(folder);
  return { name, format, ...layouts[format].read(folder, options) };
}

/**
 * Finds the folders below a root that are data sets themselves, such as the categories of MVTec AD, BTAD or VisA.
 *
 * @param root a folder, or a manifest, which has no categories
 * @returns their names, sorted; none where the root is a data set itself
 * @throws DataError where there is no such folder
 */
export function findCategories(root: string): string[] {
  if (existsSync(root) && isManifest(root)) return [];
  requireFolder(root);
  // What is a data set itself has parts, not categories.
  if (formatsOf(root).length > 0) return [];
  return listFolders(root).filter(
    (name) => !isSplitFolder(name) && !isMaskFolder(name) && formatsOf(join(root, name)).length > 0,
  );
}

function categoryFolder(root: string, category: string | undefined): string {
  if (!(existsSync(root) && isManifest(root))) requireFolder(root);
  if (category === undefined) return root;
  requireFolder(root);
  const folder = join(root, category);
  if (existsSync(folder)) return folder;
  throw new DataError(
    `${root} has no category "${category}"; its folders are: ${listed(listFolders(root))}.`,
  );
}

function chooseFormat(folder: string, asked: DatasetFormat | undefined): DatasetFormat {
  if (!isFolder(folder)) {
    if (asked === undefined || asked === "manifest") return "manifest";
    throw new DataError(`data.format is ${asked}, but ${folder} is a file, which is a manifest.`);
  }
  if (asked !== undefined) {
    if (layouts[asked].matches(folder)) return asked;
    throw new DataError(
      `data.format is ${asked}, but ${folder} does not look like it (${layouts[asked].looks}): it holds ${contents(folder)}.`,
    );
  }
  const found = formatsOf(folder);
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    const choices = found.map((format) => `${format} (${layouts[format].looks})`);
    throw new DataError(`${folder} can be read as ${choices.join(" or as ")}; choose one with data.format.`);
  }
  const categories = findCategories(folder);
  if (categories.length > 0) {
    throw new DataError(
      `${folder} holds several data sets (${listed(categories)}); choose one with data.category.`,
    );
  }
  if (layouts.folder.matches(folder)) return "folder";
  const near = nearestFormats(folder).map((format) => `${format} (${layouts[format].looks})`);
  throw new DataError(
    `${folder} is not a data set: it holds ${contents(folder)}. ` +
      `The layouts nearest to it are ${near.join(" and ")}; docs/data-sets.md lists all.`,
  );
}

/** The two layouts of which a folder has most: by the names in it, and the names below those. */
function nearestFormats(root: string): DatasetFormat[] {
  const words = (text: string): string[] => text.toLowerCase().match(/[a-z]+/g) ?? [];
  const names = new Set(
    listFolders(root).flatMap((name) => [name, ...listFolders(join(root, name))].flatMap(words)),
  );
  const common = (format: DatasetFormat): number =>
    new Set(words(layouts[format].looks).filter((word) => names.has(word))).size;
  const order = new Set<DatasetFormat>(["folder", "classes", ...formats]);
  for (const format of formats) if (layouts[format].refines !== undefined) order.delete(format);
  return [...order].sort((a, b) => common(b) - common(a)).slice(0, 2);
}

function contents(folder: string): string {
  const names = [...listFolders(folder).map((name) => `${name}/`), ...listFiles(folder)];
  const train = join(folder, "train");
  const below = isFolder(train) ? ` (train/ holds ${listed(listFolders(train))})` : "";
  return names.length === 0 ? "nothing" : listed(names) + below;
}
