/** What folders hold, sorted by code units, not by language, so that no system orders it differently. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import {
  DataError,
  foreignExtensions,
  formatNames,
  type ImageFile,
  imageExtensions,
} from "@ddad/ddad/internal";

/** The images to inspect: one file, or everything below a folder. @throws DataError when there are none. */
export function findImages(path: string): ImageFile[] {
  if (!existsSync(path)) throw new DataError(`${path} does not exist; give an image or a folder of them.`);
  if (!isFolder(path)) {
    if (!isImage(path))
      throw new DataError(`${path} is not an image that can be read: it must be ${formatNames}.`);
    return [{ id: basename(path), path }];
  }
  const files = imagesBelow(path, "");
  if (files.length === 0)
    throw new DataError(`${path} holds no images; it should hold ${formatNames} files.`);
  return files;
}

function imagesBelow(folder: string, prefix: string): ImageFile[] {
  const here = listImages(folder).map((name) => ({ id: prefix + name, path: join(folder, name) }));
  const below = listFolders(folder).flatMap((name) => imagesBelow(join(folder, name), `${prefix}${name}/`));
  return [...here, ...below];
}

/** Names of the images of a folder. @throws DataError naming images that cannot be read: none is skipped silently. */
export function listImages(folder: string): string[] {
  const names = listFiles(folder);
  const foreign = names.filter((name) => foreignExtensions.includes(extensionOf(name)));
  if (foreign.length > 0) {
    throw new DataError(
      `${folder} holds ${foreign.length} images that are not ${formatNames} (${listed(foreign)}); convert them or move them away.`,
    );
  }
  return names.filter(isImage);
}

export const extensionOf = (name: string): string => extname(name).toLowerCase();

/** The name of a file without its folder and ending. */
export const stemOf = (name: string): string => basename(name, extname(name));

const isImage = (name: string): boolean => imageExtensions.includes(extensionOf(name));

export const listFiles = (folder: string): string[] => visibleEntries(folder, false);

export const listFolders = (folder: string): string[] => visibleEntries(folder, true);

function visibleEntries(folder: string, directories: boolean): string[] {
  requireFolder(folder);
  return readdirSync(folder)
    .filter((name) => !name.startsWith(".") && isFolder(join(folder, name)) === directories)
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
