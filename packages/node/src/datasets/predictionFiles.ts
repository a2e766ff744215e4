/** Which files of a folder are results of `predict`, and no images of parts. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve, sep } from "node:path";

/** The file by which a folder with results of `predict` is known. */
export const predictionsFile = "predictions.json";

/**
 * The files that `predict` wrote into a folder and its sub-folders, as its `predictions.json` lists them, that file included. A work that
 * was killed has left it under a temporary name.
 *
 * @returns absolute paths; undefined where the folder holds no such list
 */
export function predictionFiles(folder: string): ReadonlySet<string> | undefined {
  const inside = resolve(folder) + sep;
  const found = new Set<string>();
  for (const list of [predictionsFile, `${predictionsFile}.partial`].map((name) => join(folder, name))) {
    const files = existsSync(list) ? listedIn(readFileSync(list, "utf8")) : undefined;
    if (files === undefined) continue;
    found.add(resolve(list));
    for (const file of files) {
      // Version 0.1 gave paths from the working directory.
      for (const path of [resolve(folder, file), resolve(file)]) if (path.startsWith(inside)) found.add(path);
    }
  }
  return found.size === 0 ? undefined : found;
}

/** Overlays and maps in the text of a list; undefined where it is no list of predictions. */
function listedIn(text: string): string[] | undefined {
  // Nothing was inspected before the work was killed.
  if (text === "") return [];
  const whole = parsed(text);
  if (whole !== undefined) {
    const { images } = whole as { images?: unknown };
    return Array.isArray(images) ? images.flatMap(filesOf) : undefined;
  }
  const [head, ...lines] = text.split("\n");
  return head!.endsWith('"images":[')
    ? lines.flatMap((line) => filesOf(parsed(line.replace(/,$/, ""))))
    : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return undefined;
  }
}

/** By their endings as well: whoever writes a list may not name any other file. */
function filesOf(prediction: unknown): string[] {
  if (typeof prediction !== "object" || prediction === null) return [];
  const { overlay, map } = prediction as { overlay?: unknown; map?: unknown };
  return [overlay, map].filter(
    (file): file is string => typeof file === "string" && /-overlay\.png$|-map\.npy$/.test(file),
  );
}
