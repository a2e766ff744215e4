/** The pictures of a data set, decoded, with progress. */
import { basename, resolve } from "node:path";
import type { Config } from "../config.ts";
import { openDataset } from "../datasets/folder.ts";
import { loadImages, loadMasks } from "../datasets/load.ts";
import { type Sample, splitHeldOut } from "../datasets/sample.ts";
import type { Pictures } from "../detection.ts";
import { DataError } from "../errors.ts";
import type { TestSet } from "../evaluation.ts";
import { Progress } from "./terminal.ts";

/** Good pictures to train on, and those held out. @throws DataError */
export function loadTraining(config: Config): { train: Pictures; heldOut: Pictures } {
  const { data, protocol } = config;
  const dataset = openDataset(data.root, { category: data.category, test: data.test });
  const { train, heldOut } = splitHeldOut(dataset.train, data.heldOut);
  if (protocol === "strict" && heldOut.length < 2) {
    throw new DataError(
      `The strict protocol needs at least two held-out good pictures for its threshold, but of the ${dataset.train.length} ` +
        `in ${data.root} a share of ${data.heldOut} is ${heldOut.length}; raise data.heldOut or add pictures.`,
    );
  }
  return {
    train: load(train, config, "training pictures"),
    heldOut: load(heldOut, config, "held-out pictures"),
  };
}

/** The held-out good pictures alone. */
export function loadHeldOut(config: Config): Pictures {
  const { data } = config;
  const dataset = openDataset(data.root, { category: data.category, test: data.test });
  return load(splitHeldOut(dataset.train, data.heldOut).heldOut, config, "held-out pictures");
}

/** The test pictures with what is known of them. @throws DataError when there are none, or only of one sort. */
export function loadTest(config: Config): TestSet & { readonly paths: readonly string[] } {
  const { root, category, test, imageSize } = config.data;
  const dataset = openDataset(root, { category, test });
  const samples = dataset.test;
  if (samples.length === 0) {
    throw new DataError(
      `${root} has no test pictures; an evaluation needs a folder test with good ones and defective ones.`,
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
  const { images } = load(samples, config, "test pictures");
  const hasMasks = samples.some(({ maskPath }) => maskPath !== undefined);
  return {
    dataset: basename(resolve(root)),
    category: category ?? dataset.name,
    samples,
    images,
    paths: samples.map(({ path }) => path),
    ...(hasMasks && { masks: loadMasks(samples, imageSize) }),
  };
}

function load(samples: readonly Sample[], config: Config, label: string): Pictures {
  const progress = new Progress(label, "pictures");
  const images = loadImages(samples, config.data.imageSize, (done, count) => progress.update(done, count));
  return { images, ids: samples.map(({ id }) => id) };
}
