/** What folders hold, sorted by code units, not by language, so that no system orders it differently. */
import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, extname, join, resolve } from "node:path";
import {
  DataError,
  foreignExtensions,
  formatNames,
  type ImageFile,
  imageExtensions,
} from "@ddad/ddad/internal";
import { predictionFiles } from "./predictionFiles.ts";

/**
 * The images to inspect: one file, or everything below a folder. A file in a format that is not read is one of them, and is refused
 * when it is decoded. Results of this program are left out.
 *
 * @param path of an image or a folder
 * @returns the files, by sub-folder and name; ids are paths below the folder
 * @throws DataError when there are none
 */
export function findImages(path: string): ImageFile[] {
  if (!existsSync(path)) throw new DataError(`${path} does not exist; give an image or a folder of them.`);
  if (!isFolder(path)) {
    if (!isImage(path))
      throw new DataError(`${path} is not an image that can be read: it must be ${formatNames}.`);
    return [{ id: basename(path), path }];
  }
  const names = listImagesBelow(path);
  if (names.length === 0)
    throw new DataError(`${path} holds no images; it should hold ${formatNames} files.`);
  return names.map((name) => ({ id: name, path: join(path, name) }));
}

/**
 * Paths below a folder of all images in it and its sub-folders, with forward slashes; results of this program are left out. Sorted in
 * each folder: its own images first.
 *
 * @param skips whether a sub-folder is left out, by its path below the folder
 */
export function listImagesBelow(folder: string, skips: (path: string) => boolean = () => false): string[] {
  return below(folder, "", new Set([realpathSync(folder)]), skips, new Set());
}

/** @param above the folders on the way, so that a link to one of them ends there @param results files of predictions in them */
function below(
  folder: string,
  prefix: string,
  above: ReadonlySet<string>,
  skips: (path: string) => boolean,
  results: ReadonlySet<string>,
): string[] {
  const predicted = predictionFiles(folder);
  const own = predicted ? new Set([...results, ...predicted]) : results;
  const here = listImages(folder)
    .filter((name) => own.size === 0 || !own.has(resolve(folder, name)))
    .map((name) => prefix + name);
  const deeper = listFolders(folder).flatMap((name) => {
    const path = join(folder, name);
    const real = realpathSync(path);
    if (above.has(real) || isRunFolder(path) || skips(prefix + name)) return [];
    return below(path, `${prefix}${name}/`, new Set([...above, real]), skips, own);
  });
  return [...here, ...deeper];
}

/** Files that tell that this program wrote a folder: of a run, of an evaluation, of several runs. */
const outputFiles = [
  ["split.json", "config.yaml"],
  ["results.json", "scores.json"],
  ["summary.json", "summary.csv"],
];

const isRunFolder = (folder: string): boolean =>
  outputFiles.some((names) => names.every((name) => existsSync(join(folder, name))));

/** Whether a folder holds results of this program, and no images of parts. */
export const isOutputFolder = (folder: string): boolean =>
  isRunFolder(folder) || (predictionFiles(folder) !== undefined && listImagesBelow(folder).length === 0);

/** Names of the images of a folder, those in formats that are not read included: none is passed over in silence. */
export const listImages = (folder: string): string[] => listFiles(folder).filter(isImage);

export const extensionOf = (name: string): string => extname(name).toLowerCase();

/** The name of a file without its folder and ending. */
export const stemOf = (name: string): string => basename(name, extname(name));

/** A path without the ending of its file. */
export const withoutEnding = (path: string): string => path.slice(0, path.length - extname(path).length);

const isImage = (name: string): boolean =>
  imageExtensions.includes(extensionOf(name)) || foreignExtensions.includes(extensionOf(name));

export const listFiles = (folder: string): string[] => visibleEntries(folder, false);

export const listFolders = (folder: string): string[] => visibleEntries(folder, true);

function visibleEntries(folder: string, directories: boolean): string[] {
  requireFolder(folder);
  // Only links are looked up: with 100,000 images in a folder, the others would take seconds.
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => {
      const isDirectory = entry.isSymbolicLink() ? isFolder(join(folder, entry.name)) : entry.isDirectory();
      return !entry.name.startsWith(".") && isDirectory === directories;
    })
    .map(({ name }) => name)
    .sort();
}

/** A link to nothing counts as a file, to be named when it is read. */
export const isFolder = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

export function requireFolder(folder: string): void {
  if (!existsSync(folder)) throw new DataError(`The folder ${folder} does not exist.`);
  if (!isFolder(folder)) throw new DataError(`${folder} is a file; a folder is needed here.`);
}

/** The first few names and how many more there are. */
export function listed(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const more = names.length > 4 ? ` and ${names.length - 4} more` : "";
  return names.slice(0, 4).join(", ") + more;
}
