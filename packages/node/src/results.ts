/** Results that evaluations left in folders. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import {
  DataError,
  type EvaluationResult,
  fairCounts,
  imageFormat,
  nameResults,
  type ReportedRun,
  readResult,
  readScores,
  type StoredScores,
  wrongDecisions,
} from "@ddad/ddad/internal";
import { notice, type StageOptions } from "./events.ts";
import { calibrationState, modelBeside } from "./model/calibrationState.ts";
import { thumbnailsOf } from "./thumbnails.ts";

/** A result with the folder and file that it lies in, and a name that tells it from the others. */
export type FoundRun = Pick<ReportedRun, "name" | "folder" | "result" | "calibration"> & {
  readonly file: string;
  /** Fraction of the good images that are false alarms, from `scores.json`, where the result does not hold it. */
  readonly falseAlarms?: number | undefined;
};

/**
 * Finds every result below folders; files that are none of this version are left out with a notice.
 *
 * @param folders of runs and evaluations, searched with their sub-folders
 * @returns the results, each with its file and a name of its own
 * @throws DataError when there is none, or no such folder
 */
export function findResults(folders: readonly string[], options: StageOptions = {}): FoundRun[] {
  const files = new Map(
    folders.flatMap((folder) => findFiles(folder)).map((file) => [resolve(file), file] as const),
  );
  const found = [...files.values()].flatMap((file) => {
    const reading = readResult(readFileSync(file, "utf8"));
    if ("value" in reading) return [describeRun(file, reading.value)];
    notice(
      options,
      `left out: ${file} is not a result of this version of ddad evaluate (${reading.problem})`,
    );
    return [];
  });
  if (found.length > 0) return nameResults(found);
  throw new DataError(
    `There is no result below ${folders.join(", ")}; ddad evaluate --out and ddad run leave a results.json.`,
  );
}

/** What the files beside a result say of it. */
function describeRun(file: string, result: EvaluationResult): Omit<FoundRun, "name"> {
  const folder = dirname(file);
  const calibration = calibrationState(result, modelBeside(file));
  const scores = join(folder, "scores.json");
  const reading =
    result.decisions === undefined && existsSync(scores)
      ? readScores(readFileSync(scores, "utf8"), result)
      : undefined;
  const falseAlarms = reading && "value" in reading ? reading.value.falseAlarms : undefined;
  return { file, folder, result, calibration, falseAlarms };
}

function findFiles(folder: string): string[] {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new DataError(`${folder} is not a folder; ddad report takes folders that hold results.`);
  }
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name === "results.json")
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Largest number of images in a page. */
export type ImageLimits = {
  /** Of wrong decisions. */
  readonly images: number;
  /** Small ones in the list of all images. */
  readonly thumbnails: number;
};

/**
 * Adds scores, which images of wrong decisions are shown, where scores say which are wrong, and thumbnails.
 *
 * @throws DataError where scores do not belong to the results beside them; the reason of the signal
 */
export async function withImages(
  runs: readonly FoundRun[],
  { images, thumbnails: limit }: ImageLimits,
  options: StageOptions = {},
): Promise<ReportedRun[]> {
  const decided = runs.map((run) => {
    const scores = scoresBeside(run, options);
    return { run, scores, decisions: scores && wrongDecisions(scores.scores, run.result.threshold) };
  });
  const lengths = decided.flatMap(({ decisions }) => [
    decisions?.["false alarm"].length ?? 0,
    decisions?.missed.length ?? 0,
  ]);
  const fractions = fairCounts(lengths, images);
  const thumbnails = await thumbnailsOf(
    decided.map(({ run, scores }) => ({
      scores,
      threshold: run.result.threshold,
      mapTile: run.result.protocolBlock.method === "patchcore" ? 1 : 2,
      pathOf: (id) => imagePath(run.folder, id),
    })),
    limit,
    options.signal,
  );
  return decided.map(({ run, scores, decisions }, i) => ({
    ...run,
    thumbnails: thumbnails[i],
    ...(scores && { scores }),
    ...(decisions && {
      wrong: { decisions, shown: { "false alarm": fractions[2 * i]!, missed: fractions[2 * i + 1]! } },
    }),
    imageOf: (id) => imageOf(run.folder, id),
  }));
}

function scoresBeside({ folder, result }: FoundRun, options: StageOptions): StoredScores | undefined {
  const file = join(folder, "scores.json");
  if (!existsSync(file)) {
    notice(options, `no curves and no images of ${folder}: there is no scores.json beside its results`);
    return undefined;
  }
  const reading = readScores(readFileSync(file, "utf8"), result);
  if ("value" in reading) return reading.value;
  throw new DataError(`${file} does not belong to the results beside it: ${reading.problem}.`);
}

/** The image of an inspection; only what is a PNG. */
function imageOf(folder: string, id: string): string | undefined {
  const path = imagePath(folder, id);
  if (path === undefined) return undefined;
  const bytes = readFileSync(path);
  return imageFormat(bytes) === "PNG" ? `data:image/png;base64,${bytes.toString("base64")}` : undefined;
}

/** The file of an inspection, as `ddad evaluate --out` names it; only one that lies in the folder. */
function imagePath(folder: string, id: string): string | undefined {
  const path = resolve(folder, /\.png$/i.test(id) ? id : `${id}.png`);
  const inside = relative(folder, path);
  if (isAbsolute(inside) || inside.split(sep)[0] === "..") return undefined;
  // No file system has such names, and what asks for one throws.
  return id.includes("\0") || !existsSync(path) || !statSync(path).isFile() ? undefined : path;
}
