/**
 * Models and states of training as safetensors: arrays under PyTorch's names, everything else as texts in the header,
 * so that a file says by itself what made it and how images must be prepared for it.
 */
import {
  type Checkpoint,
  CheckpointError,
  type StateDict,
  type StateEntry,
  writeSafetensors,
} from "@ddad/nn";
import { underPrefix, withPrefix } from "@ddad/nn/internal";
import * as z from "zod";
import { parseStoredConfig } from "../config/parse.ts";
import type { Config } from "../config/schema.ts";
import { type Calibration, storedCalibrationSchema } from "../detection/calibration.ts";
import { GoodImages, goodImagesNames } from "../detection/nearest.ts";
import { ConfigError } from "../errors.ts";
import { readHeaderText } from "./header.ts";

/** Weights to inspect images with. Arrays are stored under their bare names, as PyTorch would load them. */
export type Model = {
  readonly config: Config;
  /** Optimiser steps behind the weights: 0 where they were imported, and where the method trains none. */
  readonly step: number;
  readonly weights: StateDict;
  /** Weights of the network `features.network` where it is stored with the model; in the file under `extractor.`. */
  readonly extractor?: StateDict | undefined;
  /** Optimiser steps of the adaptation behind these weights, where there was one; 0 where none bettered them. */
  readonly adaptedSteps?: number | undefined;
  /** Good training images, where an image is compared with, or reconstructed from, the nearest of them; in the file under `goodImages`. */
  readonly goodImages?: GoodImages | undefined;
  readonly calibration?: Calibration | undefined;
  /** What `calibration` replaced when the same weights were calibrated again. */
  readonly calibrationBefore?: Calibration | undefined;
};

/** Everything that training needs to resume as if it had never stopped. */
export type TrainingState = {
  readonly config: Config;
  /** Optimiser steps done. */
  readonly step: number;
  readonly weights: StateDict;
  /** EMA of the weights, where one is kept. */
  readonly ema?: StateDict | undefined;
  readonly optimizer: StateDict;
  /** State of the scale of the loss, where the precision is mixed. */
  readonly lossScale?: StateDict | undefined;
  /** Side of the images of the last step, where it is half of `config.data.imageSize`: see `training.progressive`. */
  readonly imageSize?: number | undefined;
  /** The best model so far, by the denoising loss of held-out good images of that size. */
  readonly best?: { readonly step: number; readonly loss: number } | undefined;
  /** Whether the validation of this very step is still to be done: it was stopped. False without it. */
  readonly validationPending?: boolean | undefined;
};

/** Whether the network was trained elsewhere: by what, and with which images, is not known. */
export const isImported = ({ config, step }: Pick<Model, "config" | "step">): boolean =>
  config.method === "ddad" && step === 0;

const extractorPrefix = "extractor.";

const isOfGoodImages = (key: string): boolean => goodImagesNames.some((name) => name === key);

const stepSchema = z.int().min(0);
const bestSchema = z.strictObject({ step: stepSchema, loss: z.number() });

/** The bytes of a model's file. */
export function encodeModel(model: Model): Uint8Array {
  const { config, step, weights, extractor, goodImages, adaptedSteps, calibration, calibrationBefore } =
    model;
  const arrays = new Map<string, StateEntry>([
    ...weights,
    ...withPrefix(extractor ?? new Map(), extractorPrefix),
    ...(goodImages?.stateDict() ?? []),
  ]);
  return writeSafetensors(arrays, {
    ...describe("model", config, step),
    ...(adaptedSteps !== undefined && { adaptedSteps: String(adaptedSteps) }),
    ...(calibration && { calibration: JSON.stringify(calibration) }),
    ...(calibrationBefore && { calibrationBefore: JSON.stringify(calibrationBefore) }),
  });
}

/** The bytes of a training state's file: `model.…`, `ema.…`, `optimizer.…` and `lossScale.…`. */
export function encodeTrainingState(state: TrainingState): Uint8Array {
  const arrays = new Map<string, StateEntry>([
    ...withPrefix(state.weights, "model."),
    ...withPrefix(state.ema ?? new Map(), "ema."),
    ...withPrefix(state.optimizer, "optimizer."),
    ...withPrefix(state.lossScale ?? new Map(), "lossScale."),
  ]);
  return writeSafetensors(arrays, {
    ...describe("training", state.config, state.step),
    ...(state.imageSize !== undefined && { imageSize: String(state.imageSize) }),
    ...(state.best && { best: JSON.stringify(state.best) }),
    ...(state.validationPending && { validationPending: "true" }),
  });
}

function describe(kind: "model" | "training", config: Config, step: number): Record<string, string> {
  return {
    format: "ddad",
    kind,
    protocol: config.protocol,
    step: String(step),
    config: JSON.stringify(config),
    preprocessing: JSON.stringify({
      size: config.data.imageSize,
      channels: 3,
      orientation: config.data.orientation,
      resize: "bilinear, antialiased, aspect ratio not kept",
      range: [-1, 1],
    }),
  };
}

/**
 * The model in a file: a model itself, or the best weights that a state of training holds (their EMA).
 *
 * @param name what to call the file in an error.
 * @throws CheckpointError when it is no file of this program.
 */
export function decodeModel(checkpoint: Checkpoint, name = "The checkpoint"): Model {
  const { kind, config, step } = readHeader(checkpoint, name);
  if (kind === "training") {
    const { ema, weights } = decodeTrainingState(checkpoint, name);
    return { config, step, weights: ema ?? weights };
  }
  const extractor = underPrefix(checkpoint, extractorPrefix);
  return {
    config,
    step,
    weights: new Map(
      [...checkpoint].filter(([key]) => !key.startsWith(extractorPrefix) && !isOfGoodImages(key)),
    ),
    extractor: extractor.size > 0 ? extractor : undefined,
    goodImages: checkpoint.has(goodImagesNames[0]) ? GoodImages.fromState(checkpoint) : undefined,
    adaptedSteps: readHeaderText(checkpoint, "adaptedSteps", stepSchema.optional(), name),
    calibration: readHeaderText(checkpoint, "calibration", storedCalibrationSchema, name),
    calibrationBefore: readHeaderText(checkpoint, "calibrationBefore", storedCalibrationSchema, name),
  };
}

/** Reads the state of a training. Throws CheckpointError where the file holds something else. */
export function decodeTrainingState(checkpoint: Checkpoint, name = "The checkpoint"): TrainingState {
  const { kind, config, step } = readHeader(checkpoint, name);
  if (kind !== "training") {
    throw new CheckpointError(
      `${name} holds a model without its optimiser; training resumes from checkpoint.safetensors of the run.`,
    );
  }
  const named = underPrefix(checkpoint, "ema.");
  const ema = named.size > 0 ? named : underPrefix(checkpoint, "average."); // its name in files of version 0.1
  const lossScale = underPrefix(checkpoint, "lossScale.");
  const imageSize = readHeaderText(checkpoint, "imageSize", z.int().min(1).optional(), name);
  return {
    config,
    step,
    weights: underPrefix(checkpoint, "model."),
    ema: ema.size > 0 ? ema : undefined,
    optimizer: underPrefix(checkpoint, "optimizer."),
    lossScale: lossScale.size > 0 ? lossScale : undefined,
    ...(imageSize !== undefined && { imageSize }),
    best: readHeaderText(checkpoint, "best", bestSchema.optional(), name),
    ...(readHeaderText(checkpoint, "validationPending", z.boolean().optional(), name) && {
      validationPending: true,
    }),
  };
}

function readHeader(
  checkpoint: Checkpoint,
  name: string,
): { kind: string | undefined; config: Config; step: number } {
  const { format, kind, config } = checkpoint.metadata;
  if (format !== "ddad" || config === undefined) {
    throw new CheckpointError(
      `${name} was not written by ddad train: its header has no configuration, so it is not known which network it is.`,
    );
  }
  const settings = readHeaderText(checkpoint, "config", z.looseObject({}), name);
  const step = readHeaderText(checkpoint, "step", stepSchema, name);
  try {
    return { kind, config: parseStoredConfig(settings), step };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new CheckpointError(
      `${name} has a configuration that this version does not understand: ${error.message}`,
      { cause: error },
    );
  }
}
