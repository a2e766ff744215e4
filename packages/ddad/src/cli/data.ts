/** The pictures of a data set, decoded, with progress; divided as the run they are for divided them. */
import { createHash } from "node:crypto";
import { basename, resolve } from "node:path";
import type { Config } from "../config.ts";
import { openDataset } from "../datasets/folder.ts";
import type { Pictures } from "../datasets/imageSet.ts";
import { listed } from "../datasets/listing.ts";
import { loadImages, loadMasks } from "../datasets/load.ts";
import type { Dataset, Sample } from "../datasets/sample.ts";
import {
  recordSplit,
  type Split,
  type SplitOptions,
  type SplitRecord,
  splitChanges,
  splitHeldOut,
} from "../datasets/split.ts";
import { readSplit, writeSplit } from "../datasets/splitFile.ts";
import { DataError } from "../errors.ts";
import type { TestSet } from "../evaluation.ts";
import { publishedMask } from "../metrics/publishedMask.ts";
import { Progress, say } from "./terminal.ts";

/**
 * Good pictures to train on, and those held out; the division is written into the folder of the run.
 *
 * @param resume keeps the division that the folder has already.
 * @throws DataError
 */
export async function loadTraining(
  config: Config,
  run: string,
  resume = false,
): Promise<{ train: Pictures; heldOut: Pictures }> {
  const { data, protocol } = config;
  const dataset = openDataset(data.root, data);
  const record = resume ? recordOf(run, dataset) : undefined;
  const { train, heldOut } = divide(config, dataset, record);
  if (protocol === "strict" && heldOut.length < 2) {
    throw new DataError(
      `The strict protocol needs at least two held-out good pictures for its threshold, but of the ${dataset.train.length} ` +
        `in ${data.root} a share of ${data.heldOut} is ${heldOut.length}; raise data.heldOut or add pictures.`,
    );
  }
  const pictures = {
    train: await load(train, config, "training pictures"),
    heldOut: await load(heldOut, config, "held-out pictures"),
  };
  writeSplit(run, recordSplit(dataset, { train, heldOut }, splitOptions(config, record)));
  return pictures;
}

/** The held-out good pictures alone. @param run folder of the run, whose division counts where it has one. */
export async function loadHeldOut(config: Config, run?: string): Promise<Pictures> {
  const dataset = openDataset(config.data.root, config.data);
  const { heldOut } = divide(config, dataset, recordOf(run, dataset));
  return load(heldOut, config, "held-out pictures");
}

/**
 * The test pictures with what is known of them.
 *
 * @param run folder of the run, to make sure that it was trained on none of them.
 * @throws DataError when there are none, or only of one sort, or some that were trained on.
 */
export async function loadTest(
  config: Config,
  run?: string,
): Promise<TestSet & { readonly paths: readonly string[] }> {
  const { root, category } = config.data;
  const dataset = openDataset(root, config.data);
  const samples = dataset.test;
  checkTest(samples, root);
  const record = recordOf(run, dataset);
  if (record !== undefined) {
    const used = new Set([...record.train, ...record.heldOut]);
    const leaked = samples.map(({ id }) => id).filter((id) => used.has(id));
    if (leaked.length > 0) {
      throw new DataError(
        `${leaked.length} test pictures of ${root} are among those that the run in ${run} was trained or calibrated with ` +
          `(${listed(leaked)}); take them out of the test set.`,
      );
    }
    sayChanges("test pictures", record.test, samples);
  }
  const { images } = await load(samples, config, "test pictures");
  const masks = dataset.hasMasks ? await masksOf(samples, config.data.imageSize) : undefined;
  return {
    dataset: basename(resolve(root)),
    category: category ?? dataset.name,
    samples,
    images,
    paths: samples.map(({ path }) => path),
    ...(masks && { masks }),
    ...(masks &&
      config.protocol === "paper" && { coverage: await loadMasks(samples, images.size, publishedMask) }),
    ...(record && { split: hashSplit(record) }),
  };
}

/** SHA-256 of a division, in hexadecimal digits. */
const hashSplit = (record: SplitRecord): string =>
  createHash("sha256").update(JSON.stringify(record)).digest("hex");

function checkTest(samples: readonly Sample[], root: string): void {
  if (samples.length === 0) {
    throw new DataError(
      `${root} has no test pictures; an evaluation needs good ones and defective ones, such as in a folder test.`,
    );
  }
  for (const [label, kind] of [
    [0, "good"],
    [1, "defective"],
  ] as const) {
    if (samples.some((sample) => sample.label === label)) continue;
    throw new DataError(
      `The test pictures of ${root} are all of one sort: there is no ${kind} one to compare with.`,
    );
  }
}

/** The masks, where any shows a defect. */
async function masksOf(samples: readonly Sample[], size: number): Promise<Uint8Array[] | undefined> {
  const masks = await loadMasks(samples, size);
  const empty = samples.filter(({ label }, i) => label === 1 && !masks[i]!.includes(1)).map(({ id }) => id);
  const defective = samples.filter(({ label }) => label === 1).length;
  if (empty.length > 0) {
    const effect =
      empty.length === defective ? "there are no pixel metrics" : "all their pixels count as good";
    say(
      `${empty.length} masks of defective pictures show nothing at ${size} × ${size} (${listed(empty)}): ${effect}`,
    );
  }
  return empty.length === defective ? undefined : masks;
}

const splitOptions = ({ data }: Config, record: SplitRecord | undefined): SplitOptions => ({
  fraction: data.heldOut,
  seed: data.splitSeed,
  record,
});

function divide(config: Config, dataset: Dataset, record: SplitRecord | undefined): Split {
  if (record !== undefined) {
    sayChanges("good pictures to train with", [...record.train, ...record.heldOut], dataset.train);
  }
  return splitHeldOut(dataset.train, splitOptions(config, record));
}

/** The division that a run recorded, if it is one of this data set. */
function recordOf(run: string | undefined, { name }: Dataset): SplitRecord | undefined {
  const record = run === undefined ? undefined : readSplit(run);
  if (record === undefined || record.dataset === name) return record;
  say(`the run in ${run} is one of the data set ${record.dataset}; its division does not apply to ${name}`);
  return undefined;
}

/** Says which pictures are new, and which are gone, since they were recorded. */
function sayChanges(what: string, recorded: readonly string[], samples: readonly Sample[]): void {
  const { added, missing } = splitChanges(recorded, samples);
  const parts = [
    ...(added.length > 0 ? [`${added.length} new (${listed(added)})`] : []),
    ...(missing.length > 0 ? [`${missing.length} gone (${listed(missing)})`] : []),
  ];
  if (parts.length > 0) say(`the data set has changed since the run began: ${what}: ${parts.join(", ")}`);
}

async function load(samples: readonly Sample[], config: Config, label: string): Promise<Pictures> {
  const progress = new Progress(label, "pictures");
  const size = config.data.imageSize;
  const images = await loadImages(samples, size, (done, count) => progress.update(done, count));
  return { images, ids: samples.map(({ id }) => id) };
}
