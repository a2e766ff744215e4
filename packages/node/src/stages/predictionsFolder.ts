/** Where results of `predict` go, and the file that lists them. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DataError, type ImageFile } from "@ddad/ddad/internal";
import { predictionFiles, predictionsFile } from "../datasets/predictionFiles.ts";
import { cannot } from "../files.ts";
import { type Prediction, resultNames } from "./predict.ts";

/** Where results go. */
export interface PredictionsFolderOptions {
  /** A folder that was asked for: it must be empty or missing. Default: `predictions`, or `predictions-2`, … */
  readonly out?: string | undefined;
  /** Replaces the results that the folder holds, as its `predictions.json` lists them. Other files stay. */
  readonly overwrite?: boolean | undefined;
  /** The images to inspect, none of whose results may replace a file that is no result. */
  readonly files?: readonly ImageFile[] | undefined;
}

/**
 * Makes the folder for results, so that those of one call are never mixed with those of another.
 *
 * @param options where it is, and what may be replaced there
 * @returns its path
 * @throws DataError where it is a file, cannot be made or written to, or is not empty
 */
export function openPredictionsFolder(options: PredictionsFolderOptions = {}): string {
  const { out, overwrite = false, files = [] } = options;
  let folder = out ?? "predictions";
  for (let n = 2; out === undefined && !overwrite && !isFree(folder); n++) folder = `predictions-${n}`;
  if (existsSync(folder) && !statSync(folder).isDirectory()) {
    throw new DataError(`${folder} is a file, but results need a folder; name another one with --out.`);
  }
  if (!isFree(folder)) {
    if (!overwrite) {
      const replace = predictionFiles(folder) ? ", or replace the results in it by --overwrite" : "";
      throw new DataError(
        `${folder} is not empty, and results are not mixed with others; name another folder with --out${replace}.`,
      );
    }
    const own = predictionFiles(folder) ?? new Set();
    const names = [predictionsFile, ...files.flatMap(({ id }) => Object.values(resultNames(id)))];
    const other = names
      .map((name) => join(folder, name))
      .find((path) => existsSync(path) && !own.has(resolve(path)));
    if (other !== undefined) {
      throw new DataError(
        `Results would replace ${other}, which ddad predict did not write; name another folder with --out.`,
      );
    }
    for (const path of own) removeResult(path, resolve(folder));
  }
  try {
    mkdirSync(folder, { recursive: true });
    closeSync(openSync(join(folder, `${predictionsFile}.partial`), "w"));
  } catch (error) {
    throw cannot("write", folder, error);
  }
  return folder;
}

const isFree = (folder: string): boolean =>
  !existsSync(folder) || (statSync(folder).isDirectory() && readdirSync(folder).length === 0);

/** Removes a file, and the folders above it below `top` that are empty then. */
function removeResult(path: string, top: string): void {
  rmSync(path, { force: true });
  for (let folder = dirname(path); folder !== top && isFree(folder); folder = dirname(folder)) {
    if (existsSync(folder)) rmdirSync(folder);
  }
}

/** How many images were called what. */
export type PredictionCounts = {
  good: number;
  defective: number;
  unlike: number;
  /** Scored without a decision: the model is not calibrated. */
  undecided: number;
  failed: number;
};

/** Counts of nothing yet. */
export const noCounts = (): PredictionCounts => ({
  good: 0,
  defective: 0,
  unlike: 0,
  undecided: 0,
  failed: 0,
});

/** Counts one more image. */
export function countPrediction(counts: PredictionCounts, prediction: Prediction): void {
  if ("error" in prediction) counts.failed++;
  else counts[prediction.decision ?? "undecided"]++;
}

/**
 * Writes one JSON object whose `images` come one after the other, so that no more than one is held: the keys of `head`,
 * `images`, `counts`.
 */
export class PredictionsWriter {
  readonly #write: (text: string) => void;
  readonly #lines: boolean;
  readonly #counts = noCounts();
  #first = true;

  /** @param lines whether each image has a line of its own. */
  constructor(head: object, write: (text: string) => void, lines: boolean) {
    this.#write = write;
    this.#lines = lines;
    write(`${JSON.stringify(head).slice(0, -1)},"images":[`);
  }

  add(prediction: Prediction): void {
    countPrediction(this.#counts, prediction);
    const separator = this.#first ? "" : ",";
    this.#write(`${separator}${this.#lines ? "\n" : ""}${JSON.stringify(prediction)}`);
    this.#first = false;
  }

  end(): void {
    this.#write(`${this.#lines ? "\n" : ""}],"counts":${JSON.stringify(this.#counts)}}\n`);
  }
}

/**
 * `predictions.json` of a folder, written as results come: under a temporary name until it is whole, and whole also where the
 * work ends early.
 */
export class PredictionsFile implements Disposable {
  readonly #path: string;
  readonly #folder: string;
  readonly #file: number;
  readonly #writer: PredictionsWriter;

  constructor(folder: string, head: object) {
    this.#path = join(folder, predictionsFile);
    this.#folder = folder;
    this.#file = openSync(`${this.#path}.partial`, "w");
    const write = (text: string): void => {
      try {
        writeSync(this.#file, text);
      } catch (error) {
        throw cannot("write", this.#path, error);
      }
    };
    this.#writer = new PredictionsWriter(head, write, true);
  }

  /** @throws DataError where the folder was removed since */
  add(prediction: Prediction): void {
    if (!existsSync(`${this.#path}.partial`)) throw this.#removed();
    this.#writer.add(prediction);
  }

  /** @throws DataError where the folder was removed since, or the file cannot be written */
  [Symbol.dispose](): void {
    this.#writer.end();
    closeSync(this.#file);
    if (!existsSync(`${this.#path}.partial`)) throw this.#removed();
    try {
      renameSync(`${this.#path}.partial`, this.#path);
    } catch (error) {
      throw cannot("write", this.#path, error);
    }
  }

  #removed(): DataError {
    return new DataError(
      `${this.#folder} was removed while results were written there, and they are gone with it. Inspect the images again.`,
    );
  }
}
