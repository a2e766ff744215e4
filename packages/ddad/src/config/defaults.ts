/** What a setting is when neither it nor a preset is given. Depends on the protocol, the network and a few settings that are given. */
import type { Config, ConfigInput } from "./schema.ts";

type Defaults = Omit<Config, "data"> & { data: Omit<Config["data"], "root"> };

type Choices = {
  imageSize: number;
  steps: number;
  batchSize: number;
  stride: boolean;
  noise: boolean;
  compares: boolean;
};

/** As the published code does it (DDAD, arXiv 2305.15956). */
const paper = ({ steps, batchSize }: Choices): Omit<Defaults, "data" | "model"> => ({
  protocol: "paper",
  method: "ddad",
  precision: "f32",
  diffusion: { steps: 1000, betaFrom: 1e-4, betaTo: 0.02 },
  training: {
    steps,
    batchSize,
    recompute: false,
    learningRate: 3e-4,
    schedule: "constant",
    warmup: 0,
    optimizer: "adam",
    weightDecay: 0.05,
    lossReduction: "sum",
    clip: 0,
    ema: 0,
    augmentation: [],
    progressive: 0,
    maxTimestep: 999,
    seed: 42,
    checkpointEvery: 1000,
    logEvery: 10,
  },
  sampling: {
    start: 250,
    stride: 25,
    guidance: 4,
    limitGuidance: false,
    eta: 1,
    startNoise: true,
    draws: 1,
    from: "self",
    seed: 42,
  },
  features: { network: "wide_resnet101_2", imageSize: 0 },
  nearest: { by: "pixels" },
  patchcore: { channels: "equal", fraction: 0.1, maxPatches: 10_000, neighbours: 9, seed: 0 },
  adaptation: {
    steps: 0,
    batchSize: 16,
    learningRate: 1e-4,
    weightDecay: 0.01,
    distillation: 0.1,
    guidance: 3,
    checkEvery: 20,
    patience: 3,
  },
  detection: {
    distance: "cosine",
    pixelWeight: 1,
    batchSize: 16,
    blurSigma: 4,
    crop: 224,
    pixelFalseAlarmRate: 0.001,
  },
});

/**
 * The repaired protocol. Only time steps the sampler can reach are trained, weights are averaged, gradients clipped;
 * one call of the network from a noised image reconstructs it, with noise that follows from its pixels; features are compared beyond how they
 * differ in good images; the whole frame is scored.
 *
 * The loss is a mean with decoupled weight decay: clipping a summed loss would leave the coupled decay to rule the
 * step. The blur keeps its width relative to the image, which the published 4 pixels fix at 256.
 */
const strict = (choices: Choices): Omit<Defaults, "data" | "model"> => {
  const { method, precision, diffusion, training, adaptation, patchcore, detection } = paper(choices);
  return {
    protocol: "strict",
    method,
    precision,
    diffusion,
    training: {
      ...training,
      schedule: "cosine",
      warmup: Math.floor(choices.steps / 20),
      optimizer: "adamw",
      weightDecay: 0.01,
      lossReduction: "mean",
      clip: 1,
      ema: 0.999,
      maxTimestep: 300,
    },
    sampling: {
      start: 100,
      stride: 25,
      // Asked for a stride, there is none of these.
      ...(choices.stride ? {} : { steps: 1 }),
      guidance: 0,
      limitGuidance: true,
      eta: 0,
      startNoise: true,
      // One alone leaves its own noise in every difference of pixels.
      draws: choices.noise ? 4 : 1,
      from: "self",
      seed: 42,
    },
    // Weights cannot come with the package.
    features: { network: "none", imageSize: 256 },
    nearest: { by: choices.compares ? "features" : "pixels" },
    adaptation: { ...adaptation, steps: 200 },
    patchcore,
    detection: { ...detection, distance: "whitened", blurSigma: choices.imageSize / 64, crop: 0 },
  };
};

const protocols = {
  strict: { settings: strict, steps: 4000, heldOut: 0.1, orientation: "exif" },
  // The published code opens images by Pillow, which does not turn them.
  paper: { settings: paper, steps: 14_000, heldOut: 0, orientation: "stored" },
} as const;

/** The two networks of the paper, and the batch each was trained with. */
const variants = {
  ddad: { baseChannels: 64, heads: 4, dropout: 0, batchSize: 32 },
  "ddad-s": { baseChannels: 32, heads: 2, dropout: 0.3, batchSize: 16 },
};

/** The defaults that go with what is given; what is given wrongly is left for the schema to report. */
export function defaultsFor(input: object): Defaults {
  const given = input as { [Section in keyof ConfigInput]?: Partial<ConfigInput[Section]> | undefined };
  const protocol = own(protocols, given.protocol) ?? protocols.strict;
  const variantName = given.model?.variant;
  const { batchSize, ...model } = own(variants, variantName) ?? variants.ddad;
  const imageSize = positiveOr(given.data?.imageSize, 256);
  const steps = positiveOr(given.training?.steps, protocol.steps);
  const stride = given.sampling?.stride !== undefined;
  const noise = given.sampling?.startNoise !== false || positiveOr(given.sampling.eta, 0) > 0;
  const compares = (given.features?.network ?? "none") !== "none";
  return {
    ...protocol.settings({ imageSize, steps, batchSize, stride, noise, compares }),
    data: { imageSize, heldOut: protocol.heldOut, splitSeed: 42, orientation: protocol.orientation },
    model: { variant: "ddad", ...model, blocksPerLevel: 2 },
  };
}

const own = <T extends object>(table: T, key: unknown): T[keyof T] | undefined =>
  typeof key === "string" && Object.hasOwn(table, key) ? table[key as keyof T] : undefined;

/** A wrong number must not spoil the settings that hang on it: it is reported once, by itself. */
export const positiveOr = (value: unknown, otherwise: number): number =>
  typeof value === "number" && value > 0 && Number.isFinite(value) ? value : otherwise;
