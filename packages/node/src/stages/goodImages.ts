/** Good images of a folder that a model was not trained on. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { type Config, DataError, type Dataset, type ImageFile } from "@ddad/ddad/internal";
import { findDataset } from "../datasets/dataset.ts";
import { hashFile } from "../datasets/hashFiles.ts";
import { findImages, listed } from "../datasets/listing.ts";
import { readSplit } from "../datasets/splitFile.ts";
import { notice, type StageOptions } from "../events.ts";
import { trainedSamples } from "./data.ts";

/** How many images of a folder were left out, and why. */
export interface LeftOut {
  /** Files that the model was trained on, or copies of them. */
  readonly trained: number;
  /** Files named like one that the model was trained on and that is no longer there to compare with. */
  readonly named: number;
  /** Copies of another file of the folder: they would count one part twice. */
  readonly copies: number;
}

/** What `findGoodImages` found. */
export interface GoodImages {
  readonly files: readonly ImageFile[];
  /** Ids of those that are test images of the data set. */
  readonly tested: readonly string[];
  readonly leftOut: LeftOut;
}

/**
 * The images below a folder that a run was not trained on, each once. Files are compared by their contents, so a copy under
 * another name is found, and another image under the same name is not taken for the one that was trained on; names count
 * where the training images are gone.
 *
 * @param run folder of the run, whose split.json says what was trained on; without one the data set is divided again
 * @throws DataError where there is no image
 */
export function findGoodImages(
  folder: string,
  config: Config,
  run: string,
  options: StageOptions = {},
): GoodImages {
  const found = findImages(folder);
  const record = readSplit(run);
  const dataset = datasetOf(config, record?.dataset);
  const trained = dataset ? trainedSamples(config, dataset, record) : [];
  const there = new Set(trained.map(({ id }) => id));
  const gone = (record?.train ?? []).filter((id) => !there.has(id));
  if (record === undefined && dataset === undefined) {
    notice(
      options,
      `There is no split.json in ${run} and no data set in ${config.data.root}: nothing says which images the model was trained on, so all are used.`,
    );
  }
  const isTrained = comparison(trained, found);
  const isTested = comparison(dataset?.test ?? [], found);
  const isNew = firstOfContents(found);
  const files: ImageFile[] = [];
  const leftOut = { trained: 0, named: 0, copies: 0 };
  for (const file of found) {
    if (isTrained(file)) leftOut.trained++;
    else if (gone.some((id) => id === file.id || id.endsWith(`/${file.id}`))) leftOut.named++;
    else if (!isNew(file)) leftOut.copies++;
    else files.push(file);
  }
  const reasons = [
    ...(leftOut.trained > 0 ? [`${leftOut.trained} were trained on`] : []),
    ...(leftOut.named > 0 ? [`${leftOut.named} have the name of a training image that is gone`] : []),
    ...(leftOut.copies > 0 ? [`${leftOut.copies} are copies of others`] : []),
  ];
  const why = reasons.length > 0 ? ` (left out: ${reasons.join(", ")})` : "";
  notice(options, `${files.length} of ${found.length} images in ${folder} are used${why}`);
  const tested = files.filter(isTested).map(({ id }) => id);
  if (tested.length > 0) {
    notice(
      options,
      `${tested.length} of them are test images of the data set (${listed(tested)}): an evaluation on it will show too few false alarms.`,
    );
  }
  return { files, tested, leftOut };
}

/** The data set that a model was trained on, where it is still there. */
function datasetOf({ data }: Config, recorded: string | undefined): Dataset | undefined {
  try {
    const dataset = findDataset(data.root, data);
    return recorded === undefined || dataset.name === recorded ? dataset : undefined;
  } catch (error) {
    if (error instanceof DataError) return undefined;
    throw error;
  }
}

/** Whether a file is one of these or a copy. Only files of a size that occurs on both sides are read. */
function comparison(
  known: readonly ImageFile[],
  candidates: readonly ImageFile[],
): (file: ImageFile) => boolean {
  const sizes = new Set(candidates.map(({ path }) => sizeOf(path)));
  const alike = known.filter(({ path }) => sizes.has(sizeOf(path)));
  const knownSizes = new Set(alike.map(({ path }) => sizeOf(path)));
  const paths = new Set(alike.map(({ path }) => resolve(path)));
  const hashes = new Set(alike.map(({ path }) => hashFile(path)));
  return ({ path }) =>
    paths.has(resolve(path)) || (knownSizes.has(sizeOf(path)) && hashes.has(hashFile(path)));
}

/** Whether no file before has the same contents. */
function firstOfContents(files: readonly ImageFile[]): (file: ImageFile) => boolean {
  const counts = new Map<number, number>();
  for (const { path } of files) counts.set(sizeOf(path), (counts.get(sizeOf(path)) ?? 0) + 1);
  const seen = new Set<string>();
  return ({ path }) => {
    if (counts.get(sizeOf(path)) === 1) return true;
    const hash = hashFile(path);
    if (seen.has(hash)) return false;
    seen.add(hash);
    return true;
  };
}

/** Bytes of a file; -1 where there is none. */
const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? -1;
