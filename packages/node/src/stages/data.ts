/** The images of a data set, decoded, with progress; divided as the run that they are for divided them. */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import {
  type Config,
  DataError,
  type Dataset,
  fromGoodImages,
  GoodImages,
  type ImageFile,
  type Model,
  type NamedImages,
  publishedMask,
  recordSplit,
  type Sample,
  type Split,
  type SplitOptions,
  type SplitRecord,
  splitChanges,
  splitHeldOut,
  type TestSet,
} from "@ddad/ddad/internal";
import { openDataset } from "../datasets/dataset.ts";
import { hashFiles } from "../datasets/hashFiles.ts";
import { listed } from "../datasets/listing.ts";
import { loadImages, loadMasks, UnreadableError } from "../datasets/load.ts";
import { readSplit, writeSplit } from "../datasets/splitFile.ts";
import { notice, progress, type StageOptions } from "../events.ts";

/** The data set of a configuration. @throws DataError also where its folder is gone, which a model or a run has stored */
function datasetOf({ data }: Config): Dataset {
  if (!existsSync(data.root)) {
    throw new DataError(
      `The data set ${data.root} does not exist (data.root, as it was given or stored); pass --data FOLDER.`,
    );
  }
  return openDataset(data.root, data);
}

/**
 * Good images to train on, and those held out; the division is written into the folder of the run.
 *
 * @param options `resume` keeps the division that the folder has already.
 * @throws DataError
 */
export async function loadTraining(
  config: Config,
  run: string,
  options: StageOptions & { readonly resume?: boolean } = {},
): Promise<{ train: NamedImages; heldOut: NamedImages }> {
  const { resume = false } = options;
  const dataset = datasetOf(config);
  const record = resume ? recordOf(run, dataset, options) : undefined;
  tellNotices(dataset, options);
  const split = divide(config, dataset, { record, trained: resume }, options);
  checkHeldOut(config, split.heldOut, dataset.train.length);
  const [train, heldOut] = await loadParts(split, config, options);
  checkHeldOut(config, heldOut.samples, dataset.train.length);
  const read = { train: train.samples, heldOut: heldOut.samples };
  writeSplit(run, recordSplit(dataset, read, splitOptions(config, record)));
  return { train, heldOut };
}

/** The images of both parts. @throws UnreadableError naming those of both that cannot be read */
async function loadParts(split: Split, config: Config, options: StageOptions): Promise<[Loaded, Loaded]> {
  let unreadable: UnreadableError | undefined;
  const train = await loadSamples(split.train, config, "training images", options).catch((error: unknown) => {
    if (!(error instanceof UnreadableError)) throw error;
    unreadable = error;
  });
  const heldOut = await loadSamples(split.heldOut, config, "held-out images", options).catch(
    (error: unknown) => {
      if (!(unreadable && error instanceof UnreadableError)) throw error;
      throw new UnreadableError([...unreadable.problems, ...error.problems]);
    },
  );
  if (train === undefined) throw unreadable!;
  return [train, heldOut];
}

type Loaded = NamedImages & { readonly samples: readonly Sample[] };

/** The strict protocol's threshold needs two held-out images, counted before they are decoded and after. */
function checkHeldOut({ protocol, data }: Config, heldOut: readonly Sample[], good: number): void {
  if (protocol !== "strict" || heldOut.length >= 2) return;
  throw new DataError(
    `The strict protocol needs at least two held-out good images for its threshold, but of the ${good} ` +
      `in ${data.root} a fraction of ${data.heldOut} is ${heldOut.length}; raise data.heldOut or add images.`,
  );
}

/** The held-out good images alone. @param run folder of the run, whose division counts where it has one. */
export const loadHeldOut = (config: Config, run?: string, options: StageOptions = {}): Promise<NamedImages> =>
  loadSamples(findHeldOut(config, run, options), config, "held-out images", options);

/**
 * The model with the good images that it was trained on, where its settings take the nearest of them and it keeps none yet.
 *
 * @param run folder of the run, whose division counts where it has one
 * @throws DataError where the data set is not there
 */
export async function withGoodImages(
  model: Model,
  config: Config,
  run: string,
  options: StageOptions = {},
): Promise<Model> {
  if (model.goodImages || !fromGoodImages(config)) return model;
  const dataset = datasetOf(config);
  const samples = trainedSamples(config, dataset, recordOf(run, dataset, options));
  const { images } = await loadSamples(samples, config, "training images", options);
  return { ...model, goodImages: new GoodImages(images) };
}

/** The files of the held-out good images. @param run as for `loadHeldOut` */
export function findHeldOut(config: Config, run?: string, options: StageOptions = {}): Sample[] {
  const dataset = datasetOf(config);
  const record = recordOf(run, dataset, options);
  return divide(config, dataset, { record, trained: true }, options).heldOut;
}

/** The good images of a data set that a run was trained on, or would be. @param record its division, where it is known */
export const trainedSamples = (
  config: Config,
  dataset: Dataset,
  record: SplitRecord | undefined,
): readonly Sample[] => {
  const { train, validation } = dataset;
  const unrecorded = record === undefined;
  return splitHeldOut(train, { ...splitOptions(config, record), validation, unrecorded }).train;
};

/**
 * The test images with what is known of them.
 *
 * @param run folder of the run, to make sure that it was trained on none of them.
 * @throws DataError when there are none, or only of one sort, or some that were trained on.
 */
export async function loadTest(
  config: Config,
  run?: string,
  options: StageOptions = {},
): Promise<TestSet & { readonly paths: readonly string[] }> {
  const { root, category } = config.data;
  const dataset = datasetOf(config);
  checkTest(dataset.test, root);
  const record = recordOf(run, dataset, options);
  if (record !== undefined) {
    const used = new Set([...record.train, ...record.heldOut]);
    const leaked = dataset.test.map(({ id }) => id).filter((id) => used.has(id));
    if (leaked.length > 0) {
      throw new DataError(
        `${leaked.length} test images of ${root} are among those that the run in ${run} was trained or calibrated with ` +
          `(${listed(leaked)}); take them out of the test set.`,
      );
    }
    tellChanges("test images", record.test, dataset.test, options);
  }
  const { images, samples } = await loadSamples(dataset.test, config, "test images", options);
  checkTest(samples, root);
  const masks = dataset.hasMasks ? await masksOf(samples, config.data, options) : undefined;
  return {
    dataset: basename(resolve(root)),
    category: category ?? dataset.name,
    samples,
    images,
    paths: samples.map(({ path }) => path),
    files: hashFiles(samples),
    ...(masks && { masks }),
    ...(masks &&
      config.protocol === "paper" && {
        coverage: await loadMasks(samples, images.size, {
          orientation: config.data.orientation,
          resized: publishedMask,
          signal: options.signal,
        }),
      }),
    ...(record && { split: hashSplit(record) }),
  };
}

/** SHA-256 of a division, in hexadecimal digits. */
const hashSplit = (record: SplitRecord): string =>
  createHash("sha256").update(JSON.stringify(record)).digest("hex");

function checkTest(samples: readonly Sample[], root: string): void {
  if (samples.length === 0) {
    throw new DataError(
      `${root} has no test images; an evaluation needs good ones and defective ones, such as in a folder test.`,
    );
  }
  for (const [label, kind] of [
    [0, "good"],
    [1, "defective"],
  ] as const) {
    if (samples.some((sample) => sample.label === label)) continue;
    throw new DataError(
      `The test images of ${root} are all of one sort: there is no ${kind} one to compare with.`,
    );
  }
}

/** The masks, where any shows a defect. */
async function masksOf(
  samples: readonly Sample[],
  { imageSize: size, orientation }: Config["data"],
  options: StageOptions,
): Promise<Uint8Array[] | undefined> {
  const masks = await loadMasks(samples, size, { orientation, signal: options.signal });
  const empty = samples.filter(({ label }, i) => label === 1 && !masks[i]!.includes(1)).map(({ id }) => id);
  const defective = samples.filter(({ label }) => label === 1).length;
  if (empty.length > 0) {
    const effect =
      empty.length === defective ? "there are no pixel metrics" : "all their pixels count as good";
    notice(
      options,
      `${empty.length} masks of defective images show nothing at ${size} × ${size} (${listed(empty)}): ${effect}`,
    );
  }
  return empty.length === defective ? undefined : masks;
}

const splitOptions = ({ data }: Config, record: SplitRecord | undefined): SplitOptions => ({
  fraction: data.heldOut,
  seed: data.splitSeed,
  record,
});

/** @param trained whether a model was trained already, by the record's division or, without one, by an unknown one */
function divide(
  config: Config,
  { train, validation = [] }: Dataset,
  { record, trained }: { readonly record: SplitRecord | undefined; readonly trained: boolean },
  options: StageOptions,
): Split {
  const good = config.data.heldOut === 0 ? train : [...train, ...validation];
  if (record !== undefined) {
    tellChanges("good images to train with", [...record.train, ...record.heldOut], good, options);
  }
  const unrecorded = trained && record === undefined;
  return splitHeldOut(train, { ...splitOptions(config, record), validation, unrecorded });
}

/** Tells how a data set was read, where people might expect it otherwise. */
function tellNotices({ notices = [] }: Dataset, options: StageOptions): void {
  for (const message of notices) notice(options, message);
}

/** The division that a run recorded, if it is one of this data set. */
function recordOf(
  run: string | undefined,
  { name }: Dataset,
  options: StageOptions,
): SplitRecord | undefined {
  const record = run === undefined ? undefined : readSplit(run);
  if (record === undefined || record.dataset === name) return record;
  notice(
    options,
    `the run in ${run} is one of the data set ${record.dataset}; its division does not apply to ${name}`,
  );
  return undefined;
}

/** Tells which images are new, and which are gone, since they were recorded. */
function tellChanges(
  what: string,
  recorded: readonly string[],
  samples: readonly Sample[],
  options: StageOptions,
): void {
  const { added, missing } = splitChanges(recorded, samples);
  const parts = [
    ...(added.length > 0 ? [`${added.length} new (${listed(added)})`] : []),
    ...(missing.length > 0 ? [`${missing.length} gone (${listed(missing)})`] : []),
  ];
  if (parts.length > 0)
    notice(options, `the data set has changed since the run began: ${what}: ${parts.join(", ")}`);
}

/**
 * Reads images: all, unless the options leave out those that cannot be read; `samples` are those that could.
 *
 * @param task what progress calls them
 */
export async function loadSamples<S extends ImageFile>(
  samples: readonly S[],
  { data }: Config,
  task: string,
  options: StageOptions,
): Promise<NamedImages & { readonly samples: readonly S[] }> {
  const told = progress(options, task, "images");
  const { files, ...images } = await loadImages(samples, data.imageSize, {
    orientation: data.orientation,
    skipUnreadable: options.skipUnreadable,
    onNotice: (message) => notice(options, message),
    progress: (done, count) => {
      options.signal?.throwIfAborted();
      told.update(done, count);
    },
  });
  return { images, ids: files.map(({ id }) => id), samples: files };
}
