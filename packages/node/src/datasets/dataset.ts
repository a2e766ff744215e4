/** Data sets on disk: which layout a folder has, and which images are in it. */
import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { DataError, type Dataset, type DatasetFormat, type Samples } from "@ddad/ddad/internal";
import { readFolder, readTree } from "./layouts/folders.ts";
import { readManifest } from "./layouts/manifest.ts";
import { readMtd } from "./layouts/mtd.ts";
import { readVisa } from "./layouts/visa.ts";
import {
  extensionOf,
  isFolder,
  listed,
  listFiles,
  listFolders,
  listImages,
  requireFolder,
  stemOf,
} from "./listing.ts";

/** Named as in the configuration's section `data`, which may be given whole. */
export type DatasetOptions = {
  /** Folder below the root, for a root that holds several data sets. */
  category?: string | undefined;
  /** Folder with `good` and one folder for every kind of defect; otherwise `test` below the data set. */
  test?: string | undefined;
  /** The layout, where several would do; otherwise the one that the folder has. */
  format?: DatasetFormat | undefined;
  /** Chooses the good test images of a data set that does not say which are. */
  splitSeed?: number | undefined;
};

type Layout = {
  /** What it looks like, for people. */
  readonly looks: string;
  /** Whether a folder has it. */
  matches(folder: string): boolean;
  read(folder: string, options: DatasetOptions): Samples;
  /** Whether the test images may lie elsewhere. */
  readonly otherTest: boolean;
};

const manifestNames = ["manifest.csv", "manifest.jsonl"];

const isManifest = (path: string): boolean => [".csv", ".jsonl", ".ndjson"].includes(extensionOf(path));

const manifestsOf = (folder: string): string[] =>
  isFolder(folder)
    ? manifestNames.map((name) => join(folder, name)).filter((path) => existsSync(path))
    : [folder];

const layouts: { readonly [Format in DatasetFormat]: Layout } = {
  mvtec: {
    looks: "train/good, test/good, test/<kind of defect>, ground_truth/<kind>",
    matches: (folder) => isFolder(join(folder, "train", "good")),
    read: (folder, { test }) => readTree(folder, "good", test),
    otherTest: true,
  },
  btad: {
    looks: "train/ok, test/ok, test/ko, ground_truth/ko",
    matches: (folder) => isFolder(join(folder, "train", "ok")),
    read: (folder, { test }) => readTree(folder, "ok", test),
    otherTest: true,
  },
  visa: {
    looks: "Data/Images/Normal, Data/Images/Anomaly, Data/Masks/Anomaly and ../split_csv/1cls.csv",
    matches: (folder) => isFolder(join(folder, "Data", "Images")),
    read: readVisa,
    otherTest: false,
  },
  mtd: {
    looks: "MT_Free/Imgs, MT_<kind of defect>/Imgs",
    matches: (folder) => isFolder(join(folder, "MT_Free", "Imgs")),
    read: (folder, { splitSeed = 0 }) => readMtd(folder, splitSeed),
    otherTest: false,
  },
  manifest: {
    looks: "manifest.csv or manifest.jsonl, listing image, label, split and mask",
    matches: (folder) => manifestsOf(folder).length > 0,
    read: (folder, { splitSeed = 0 }) => {
      const [path, second] = manifestsOf(folder);
      if (second !== undefined)
        throw new DataError(`${folder} has two manifests; give the path of one as the data set.`);
      return readManifest(path!, splitSeed);
    },
    otherTest: false,
  },
  folder: {
    looks: "good images in the folder itself, and where wanted test/good and test/<kind of defect>",
    matches: (folder) => !isFolder(join(folder, "train")) && listImages(folder).length > 0,
    read: (folder, { test }) => readFolder(folder, test),
    otherTest: true,
  },
};

const formats = Object.keys(layouts) as DatasetFormat[];

/** Formats whose layout a folder has; loose images beside one of the others, such as a preview, do not count. */
function formatsOf(folder: string): DatasetFormat[] {
  const found = formats.filter((format) => format !== "folder" && layouts[format].matches(folder));
  return found.length === 0 && layouts.folder.matches(folder) ? ["folder"] : found;
}

/**
 * Finds the images of a data set; decodes none. The order is the same on every system.
 *
 * @param root folder of the data set, or a manifest.
 * @throws DataError when a folder is missing or empty, no layout or more than one fits, a file that is listed is missing,
 *   or a mask, or an image is for training and for testing.
 */
export function openDataset(root: string, options: DatasetOptions = {}): Dataset {
  const dataset = findDataset(root, options);
  const { train, test, hasMasks } = dataset;
  const listedFiles = [...train, ...test].flatMap(({ path, maskPath }) =>
    maskPath ? [path, maskPath] : [path],
  );
  const lost = listedFiles.filter((path) => !existsSync(path));
  if (lost.length > 0) {
    throw new DataError(
      `The data set ${dataset.name} lists ${lost.length} files that do not exist: ${listed(lost)}.`,
    );
  }
  const trained = new Set(train.map(({ path }) => resolve(path)));
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

/** Folders below a root that are data sets themselves, such as the categories of MVTec AD, BTAD or VisA; sorted. */
export function findCategories(root: string): string[] {
  return listFolders(root).filter((name) =>
    formats.some((format) => format !== "folder" && layouts[format].matches(join(root, name))),
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
  const known = formats
    .filter((format) => format !== "folder")
    .map((format) => `${format}: ${layouts[format].looks}`);
  throw new DataError(
    `${folder} is no data set: it holds ${contents(folder)}; give a folder of good images, or one that looks like one of these (${known.join("; ")}).`,
  );
}

function contents(folder: string): string {
  const names = [...listFolders(folder).map((name) => `${name}/`), ...listFiles(folder)];
  const train = join(folder, "train");
  const below = isFolder(train) ? ` (train/ holds ${listed(listFolders(train))})` : "";
  return names.length === 0 ? "nothing" : listed(names) + below;
}
