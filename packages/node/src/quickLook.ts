/** How long a run takes on this machine, and settings with which a first result is there in a few minutes. */
import {
  type Config,
  type ConfigRecord,
  DataError,
  halfSizeConfig,
  mergeConfig,
  parseConfig,
  samplingSteps,
  splitHeldOut,
  stepsAtHalfSize,
} from "@ddad/ddad/internal";
import type { AdapterSpeed, EstimatedCost } from "./adapterSpeed.ts";
import { openDataset } from "./datasets/dataset.ts";

/** Images that a run computes with. */
export interface ImageCounts {
  readonly heldOut: number;
  readonly test: number;
}

/** A configuration, and the seconds that a run with it takes: training, validation, calibration and evaluation. */
export interface PlannedRun {
  readonly config: Config;
  readonly seconds: number;
}

/** Options of estimates. */
export interface EstimateOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Calls of the network for each image of a validation: one for every bucket of time steps. */
const validationCalls = 6;

/** Seconds that reading images, compiling kernels and writing files take, roughly. */
const preparation = 30;

/** The images of a data set as a run divides them; none where the folder cannot be read yet, which the run itself says. */
export function countRunImages({ data }: Config): ImageCounts {
  try {
    const dataset = openDataset(data.root, data);
    const { heldOut } = splitHeldOut(dataset.train, { fraction: data.heldOut, seed: data.splitSeed });
    return { heldOut: heldOut.length, test: dataset.test.length };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return { heldOut: 0, test: 0 };
  }
}

/** Seconds of a whole run without its feature extractor and domain adaptation. Needs a device. */
export async function estimateRun(
  config: Config,
  counts: ImageCounts,
  speed: Pick<AdapterSpeed, "estimate">,
  options: EstimateOptions = {},
): Promise<number> {
  const { training, sampling } = config;
  const phases = await estimatePhases(config, speed, options);
  const spent = phases.map(({ from, to, cost }) => {
    const validations = countCheckpoints(to, training.checkpointEvery, from) * validationCalls;
    const images = (to - from) * training.batchSize;
    return images * cost.training + validations * counts.heldOut * cost.call;
  });
  const inspections = (counts.heldOut + counts.test) * samplingSteps(sampling).length * sampling.draws;
  return preparation + sum(spent) + inspections * phases.at(-1)!.cost.call;
}

/** Checkpoints after one step up to another, at which there is always one. */
const countCheckpoints = (to: number, every: number, from: number): number =>
  Math.ceil(to / every) - Math.floor(from / every);

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Steps of a training at one image size, after `from` up to `to`, and what an image takes there. */
type EstimatedPhase = { readonly from: number; readonly to: number; readonly cost: EstimatedCost };

/** The phases of a training: at half the image size where the settings say so, then at the whole one. */
async function estimatePhases(
  config: Config,
  speed: Pick<AdapterSpeed, "estimate">,
  options: EstimateOptions,
): Promise<EstimatedPhase[]> {
  const boundary = stepsAtHalfSize(config.training);
  const half = { from: 0, to: boundary };
  return [
    ...(boundary === 0 ? [] : [{ ...half, cost: await speed.estimate(halfSizeConfig(config), options) }]),
    { from: boundary, to: config.training.steps, cost: await speed.estimate(config, options) },
  ];
}

/** Networks and images of quick looks, the best first, each with the fewest steps that are worth while. */
const ladder: readonly { readonly settings: ConfigRecord; readonly least: number }[] = [
  {
    settings: {
      data: { imageSize: 128 },
      model: { variant: "ddad-s" },
      training: { batchSize: 16, ema: 0.99 },
    },
    least: 500,
  },
  {
    settings: {
      data: { imageSize: 64 },
      model: { variant: "ddad-s" },
      training: { batchSize: 8, ema: 0.99 },
    },
    least: 300,
  },
  {
    settings: {
      data: { imageSize: 64 },
      model: {
        baseChannels: 32,
        heads: 1,
        channelMultipliers: [1, 2, 2],
        blocksPerLevel: 1,
        attentionSizes: [8],
      },
      training: { batchSize: 4, learningRate: 2e-3, ema: 0.99 },
    },
    least: 200,
  },
  {
    settings: {
      data: { imageSize: 32 },
      model: {
        baseChannels: 32,
        heads: 1,
        channelMultipliers: [1, 2],
        blocksPerLevel: 1,
        attentionSizes: [8],
      },
      training: { batchSize: 4, learningRate: 2e-3, ema: 0.99 },
    },
    least: 100,
  },
];

const mostSteps = 3000;

/**
 * The largest images and the most steps with which a run ends within a time; where not even the smallest does, that one with its fewest
 * steps. What is asked for stands. Needs a device.
 *
 * @param asked settings that were given, with the data set
 * @param seconds that the run may take
 */
export async function planQuickLook(
  asked: ConfigRecord,
  counts: ImageCounts,
  speed: Pick<AdapterSpeed, "estimate">,
  { seconds = 300, ...options }: EstimateOptions & { readonly seconds?: number | undefined } = {},
): Promise<PlannedRun> {
  for (const [index, { settings, least }] of ladder.entries()) {
    const withSteps = (steps: number): Config =>
      parseConfig(
        mergeConfig(
          mergeConfig(settings, { training: { steps, checkpointEvery: Math.ceil(steps / 2) } }),
          asked,
        ),
      );
    const shortest = withSteps(least);
    const needed = await estimateRun(shortest, counts, speed, options);
    const last = index === ladder.length - 1;
    if (needed > seconds && !last) continue;
    const phases = await estimatePhases(shortest, speed, options);
    const perImage =
      sum(phases.map(({ from, to, cost }) => (to - from) * cost.training)) / shortest.training.steps;
    const more = Math.floor((seconds - needed) / (shortest.training.batchSize * perImage));
    const steps = Math.min(least + Math.max(more, 0), mostSteps);
    // Whole tens are easier to read, and to type.
    const config = withSteps(Math.max(Math.floor(steps / 10) * 10, least));
    return { config, seconds: await estimateRun(config, counts, speed, options) };
  }
  throw new RangeError("planQuickLook: there is no network to choose from.");
}

/** Sections of settings that say how large and how long a training is. */
const sizing = ["protocol", "preset", "method", "model", "diffusion", "sampling"];

/** Settings of the training that say nothing about its length. */
const free = ["memory", "seed", "logEvery", "microBatch", "recompute"];

/** Whether settings that were given leave it open how large the images and how long the training shall be. */
export function leavesSizeOpen(asked: ConfigRecord): boolean {
  if (sizing.some((key) => asked[key] !== undefined)) return false;
  const data = (asked["data"] ?? {}) as ConfigRecord;
  const training = (asked["training"] ?? {}) as ConfigRecord;
  return data["imageSize"] === undefined && Object.keys(training).every((key) => free.includes(key));
}
