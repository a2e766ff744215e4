/** The image files that a command is given: single files, folders and patterns. */
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import {
  DataError,
  foreignExtensions,
  formatNames,
  type ImageFile,
  imageExtensions,
} from "@ddad/ddad/internal";
import { extensionOf, isFolder } from "../datasets/listing.ts";
import { predictionFiles } from "../datasets/predictionFiles.ts";

/** Files to inspect, and folders that were passed over because they hold results. */
export interface Inputs {
  /** Sorted within each path; ids are relative to the path that was given, and unique. */
  readonly files: readonly ImageFile[];
  /** Folders left out because they hold nothing but results of `predict`. */
  readonly skipped: readonly string[];
}

/**
 * Finds the images to inspect: files, everything below folders, and patterns (`*`, `?`, `**`, `[abc]`, `{a,b}`). Files of
 * formats that are not read are among them, to be named when they fail. Results of `predict` are passed over, by its list of them.
 *
 * @param paths a path that exists is never a pattern
 * @returns the files, and the folders that were passed over
 * @throws DataError where a path does not exist, or nothing is found
 */
export function findInputs(paths: readonly string[]): Inputs {
  const files: ImageFile[] = [];
  const skipped: string[] = [];
  const ids = new Set<string>();
  const seen = new Set<string>();
  for (const path of paths) {
    let found = 0;
    for (const { id, path: file } of inputsOf(path, skipped)) {
      found++;
      const key = resolve(file);
      if (seen.has(key)) continue;
      seen.add(key);
      let unique = id;
      for (let part = dirname(key), n = 2; ids.has(unique); part = dirname(part)) {
        unique = `${basename(part) || n++}/${unique}`;
      }
      ids.add(unique);
      files.push({ id: unique, path: file });
    }
    if (found === 0) {
      throw new DataError(
        existsSync(path)
          ? `${path} holds no images; it should hold ${formatNames} files.`
          : `No image matches ${path}; images are ${formatNames} files.`,
      );
    }
  }
  return { files, skipped };
}

function* inputsOf(path: string, skipped: string[]): Generator<ImageFile> {
  if (isFolder(path)) {
    yield* imagesBelow(path, "", skipped, () => true);
  } else if (existsSync(path)) {
    yield { id: basename(path), path };
  } else if (/[*?[{]/.test(path)) {
    const { folder, pattern } = splitPattern(path);
    if (!isFolder(folder)) throw new DataError(`${folder} does not exist, in which ${path} is to be found.`);
    const expression = patternExpression(pattern);
    const deep = /\*\*|\//.test(pattern);
    yield* imagesBelow(folder, "", skipped, (id) => expression.test(id), deep);
  } else {
    throw new DataError(
      `${path} does not exist; give an image, a folder of images or a pattern such as "parts/*.png".`,
    );
  }
}

const isInput = (name: string): boolean => {
  const extension = extensionOf(name);
  return imageExtensions.includes(extension) || foreignExtensions.includes(extension);
};

/** Images below a folder, depth first, sorted by code units; only paths are held. @param results files of predictions on the way */
function* imagesBelow(
  folder: string,
  prefix: string,
  skipped: string[],
  wanted: (id: string) => boolean,
  deep = true,
  above: readonly string[] = [],
  results: ReadonlySet<string> = new Set(),
): Generator<ImageFile> {
  const here = realpathSync(folder);
  if (above.includes(here)) return; // a link to a folder that it lies in
  const predicted = predictionFiles(folder);
  const own = predicted ? new Set([...results, ...predicted]) : results;
  const folders: string[] = [];
  let found = false;
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (name.startsWith(".") || own.has(resolve(path))) continue;
    if (isFolder(path)) folders.push(name);
    else if (isInput(name) && wanted(prefix + name)) {
      found = true;
      yield { id: prefix + name, path };
    }
  }
  for (const name of deep ? folders : []) {
    const at = [join(folder, name), `${prefix}${name}/`] as const;
    for (const image of imagesBelow(...at, skipped, wanted, deep, [...above, here], own)) {
      found = true;
      yield image;
    }
  }
  if (predicted && !found && prefix !== "") skipped.push(folder);
}

/** The folder of a pattern that holds no wildcard, and the rest. */
function splitPattern(path: string): { folder: string; pattern: string } {
  const parts = (sep === "\\" ? path.replaceAll("\\", "/") : path).split("/");
  const first = parts.findIndex((part) => /[*?[{]/.test(part));
  return {
    folder: parts.slice(0, first).join("/") || (path.startsWith("/") ? "/" : "."),
    pattern: parts.slice(first).join("/"),
  };
}

/** A pattern as a regular expression for paths with `/`. Case counts only where the pattern has an upper-case letter. */
export function patternExpression(pattern: string): RegExp {
  let source = "";
  let braces = 0;
  for (let i = 0; i < pattern.length; i++) {
    const sign = pattern[i]!;
    const close = sign === "[" ? pattern.indexOf("]", i + 2) : -1;
    if (pattern.startsWith("**/", i)) {
      source += "(?:.*/)?";
      i += 2;
    } else if (pattern.startsWith("**", i)) {
      source += ".*";
      i++;
    } else if (sign === "*") source += "[^/]*";
    else if (sign === "?") source += "[^/]";
    else if (close > 0) {
      const set = pattern
        .slice(i + 1, close)
        .replace(/^!/, "^")
        .replaceAll("\\", "\\\\")
        .replaceAll("[", "\\[");
      source += `[${set}]`;
      i = close;
    } else if (sign === "{" && pattern.indexOf("}", i) > 0) {
      braces++;
      source += "(?:";
    } else if (sign === "}" && braces > 0) {
      braces--;
      source += ")";
    } else if (sign === "," && braces > 0) source += "|";
    else source += sign.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  }
  return new RegExp(`^${source}${")".repeat(braces)}$`, /[A-Z]/.test(pattern) ? "u" : "iu");
}

/** A path as people know it: relative to the working directory where it lies below, as it is elsewhere. */
export function shortPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short === "" || short.startsWith("..") ? path : short;
}
