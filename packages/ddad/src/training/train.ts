/** A training from its first step, or from where it stopped, to its end: when to look, when to save, which model to keep. */
import {
  currentDevice,
  LimitError,
  OutOfMemoryError,
  type TuneOptions,
  type TuneReport,
  tune,
} from "@ddad/nn";
import { trimBuffers } from "@ddad/nn/internal";
import type { Config } from "../config/schema.ts";
import type { NamedImages } from "../data/imageSet.ts";
import { divisorsOf, formatMemory } from "../memory/budget.ts";
import type { Model, TrainingState } from "../model/modelFile.ts";
import type { TrainingMemory } from "./memory.ts";
import { Phases, type PlannedPhase } from "./phases.ts";
import { Trainer } from "./trainer.ts";
import type { ValidationLoss } from "./validationLoss.ts";

/** Where a training is, told after the first step and then now and then. */
export type TrainingProgress = {
  /** Steps done, of `steps`. */
  readonly step: number;
  readonly steps: number;
  /** Mean over the steps since the last report; the first step, which is always reported, counts again in the next. */
  readonly loss: number;
  /** Of this run so far. */
  readonly imagesPerSecond: number;
  /** At a checkpoint, where there are held-out images. */
  readonly validationLoss?: ValidationLoss | undefined;
};

/** What a training works with, and whom it tells. */
export type TrainingOptions = {
  readonly config: Config;
  readonly train: NamedImages;
  /** Held-out good images, by whose denoising loss the model is chosen; without any it is the last one. */
  readonly heldOut: NamedImages;
  /** Where to resume, and the best model until then. */
  readonly resume?: { readonly state: TrainingState; readonly best?: Model | undefined } | undefined;
  /** Stops before the next micro-batch. The current step is dropped; a resumed training takes it again, to the same weights. */
  readonly signal?: AbortSignal | undefined;
  /** Stops once this many steps are done, as the signal would. */
  readonly stopAfter?: number | undefined;
  readonly onProgress?: (progress: TrainingProgress) => void;
  /** Before the first step, for the largest phase, and again where other parts of a batch are tried or a phase is planned otherwise. */
  readonly onMemory?: (memory: TrainingMemory) => void;
  /** Something the user should know, as a sentence. */
  readonly onNotice?: (sentence: string) => void;
  /** At an interval, where images become larger, when stopped and at the end; after `onBest`. */
  readonly onCheckpoint?: (state: TrainingState) => void | Promise<void>;
  /** A model better than all before it at its image size; without held-out images every one is, and has no loss. */
  readonly onBest?: (model: Model, validationLoss: number | undefined) => void | Promise<void>;
};

/** How a training ended, or how far it came. */
export type TrainingResult = {
  /** Steps done, those before a resume included. */
  readonly steps: number;
  /** Mean over the steps of the last report. */
  readonly loss: number;
  /** Of this run. */
  readonly imagesPerSecond: number;
  /** Whether it was stopped before the last step, or before the validation after it. */
  readonly stopped: boolean;
  /** The best model so far; none before the first checkpoint. */
  readonly model: Model | undefined;
  /** Of the last checkpoint of this run, which need not be the best. */
  readonly validationLoss: ValidationLoss | undefined;
};

/**
 * Trains a denoiser to the end of its configuration, or until it is stopped.
 *
 * @throws MemoryBudgetError where the configuration has a budget of memory and nothing fits into it.
 */
export async function train(options: TrainingOptions): Promise<TrainingResult> {
  const { config, resume, signal, stopAfter = Infinity } = options;
  const { steps, batchSize, logEvery, checkpointEvery } = config.training;
  const phases = await Phases.create(options, resume?.state);
  let { trainer } = phases;
  /** The current step, and whether it continues although nobody waits for it. */
  let taken: Promise<number | undefined> | undefined;
  let abandoned = false;
  try {
    const firstStep = trainer.step;
    // A validation that a stop cut short comes before the next step: it decides which model is kept.
    let pending = resume?.state.validationPending === true && options.heldOut.ids.length > 0;
    if (firstStep < steps || pending) tellPhases(phases, options);
    const started = performance.now();
    const rate = (): number =>
      ((trainer.step - firstStep) * batchSize * 1000) / Math.max(performance.now() - started, 1);
    let losses: number[] = [];
    let loss = Number.NaN;
    let model = resume?.best;
    let validationLoss: ValidationLoss | undefined;
    const stopping = (): boolean => signal?.aborted === true || trainer.step >= stopAfter;
    const save = async (): Promise<void> =>
      options.onCheckpoint?.({ ...(await phases.state()), ...(pending && { validationPending: true }) });

    while ((trainer.step < steps || pending) && !stopping()) {
      if (!pending && phases.atHalfSize && trainer.step >= phases.boundary) {
        trainer = await enlarge(phases, options);
        continue;
      }
      try {
        if (!pending) {
          taken = phases.takeStep(signal);
          // The first step of a phase compiles for long, and while there is nothing new to save a stop need not wait for it.
          const first = trainer.step === phases.firstStep;
          const stepLoss = await (first ? orAborted(taken, signal) : taken);
          if (stepLoss === undefined) {
            abandoned = trainer.step === phases.firstStep;
            if (!abandoned) await save();
            break;
          }
          losses.push(stepLoss);
        }
      } catch (error) {
        const smaller = smallerParts(error, trainer);
        if (smaller === undefined || !phases.restarts) throw error;
        await phases.restart(smaller);
        trainer = phases.trainer;
        const { microBatch } = smaller.training;
        options.onNotice?.(
          `The adapter has no room for ${batchSize} images at once: ${microBatch} at a time, to the same effect.`,
        );
        tellMemory(trainer, options);
        continue;
      }
      const atBoundary = trainer.step === phases.boundary;
      const atCheckpoint =
        pending || trainer.step % checkpointEvery === 0 || trainer.step === steps || atBoundary;
      const validates = atCheckpoint && options.heldOut.ids.length > 0;
      const validation = validates ? await trainer.validate(phases.images.heldOut, signal) : undefined;
      pending = validates && validation === undefined;
      validationLoss = validation ?? validationLoss;
      const reported = trainer.step % logEvery === 0 || atCheckpoint || stopping();
      if (reported || trainer.step === phases.firstStep + 1) {
        if (losses.length > 0) loss = losses.reduce((sum, value) => sum + value, 0) / losses.length;
        if (reported) losses = [];
        options.onProgress?.({
          ...{ step: trainer.step, steps, loss, imagesPerSecond: rate() },
          ...(validation && { validationLoss: validation }),
        });
      }
      if (atCheckpoint && !pending) model = (await betterModel(phases, options, validation?.mean)) ?? model;
      if (atCheckpoint || stopping()) await save();
    }
    const stopped = trainer.step < steps || pending;
    // Without held-out images nothing tells which model was the best: it is the one at the end.
    if (!stopped && model === undefined) model = await betterModel(phases, options, undefined);
    return {
      ...{ steps: trainer.step, loss, imagesPerSecond: rate(), stopped },
      ...{ model, validationLoss },
    };
  } finally {
    const release = (): void => phases.dispose();
    // Of a step that nobody waits for, an error is no longer of interest either.
    if (abandoned) taken?.then(release, release).catch(() => undefined);
    else release();
  }
}

/** What work gives, or undefined once the signal is aborted, whichever comes first. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  if (signal === undefined) return work;
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<undefined>((settle) => {
    onAbort = () => settle(undefined);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort!);
  }
}

/**
 * Measures the kernels of one step of a training by `tune`, with as many images at a time as the training will compute. The step
 * is that of a trainer of its own, which is gone before the first kernel is measured: of a training that follows nothing changes
 * but how fast it is, and how its results are rounded.
 *
 * @throws MemoryBudgetError where the configuration has a budget of memory and nothing fits into it.
 */
export async function tuneTraining(
  { config, train: images }: Pick<TrainingOptions, "config" | "train">,
  options: TuneOptions & { readonly signal?: AbortSignal | undefined } = {},
): Promise<TuneReport> {
  const trainer = await Trainer.create(config, images);
  const dispose = (): void => {
    trainer.dispose();
    trimBuffers(currentDevice());
  };
  const takeStep = async (): Promise<void> => {
    await trainer.takeStep(options.signal);
    dispose();
  };
  try {
    return await tune(takeStep, options);
  } catch (error) {
    dispose();
    const smaller = smallerParts(error, trainer);
    if (smaller === undefined) throw error;
    return tuneTraining({ config: smaller, train: images }, options);
  }
}

/** Says what the largest phase takes, and which images the first one sees. */
function tellPhases(phases: Phases, options: TrainingOptions): void {
  tellMemory(phases.largest, options);
  if (!phases.atHalfSize || phases.trainer.step >= phases.boundary) return;
  const { imageSize } = options.config.data;
  const half = imageSize / 2;
  options.onNotice?.(
    `Until step ${phases.boundary} images have ${half} × ${half} pixels, then ${imageSize} × ${imageSize} (training.progressive ${options.config.training.progressive}).`,
  );
}

/** The trainer of the whole image size, from the end of the first phase on. */
async function enlarge(phases: Phases, options: TrainingOptions): Promise<Trainer> {
  const told = phases.largest.memory.total;
  await phases.enlarge();
  const { trainer } = phases;
  const { imageSize } = trainer.config.data;
  options.onNotice?.(
    `Images have ${imageSize} × ${imageSize} pixels after step ${trainer.step}. The best model is chosen anew: validation losses of two sizes cannot be compared.`,
  );
  if (trainer.memory.total !== told) tellMemory(trainer, options);
  return trainer;
}

function tellMemory({ config, memory }: PlannedPhase, { onMemory, onNotice }: TrainingOptions): void {
  const { batchSize, microBatch, memory: budget } = config.training;
  onMemory?.(memory);
  if (budget === undefined && microBatch === undefined && memory.microBatch < memory.interruptible) {
    onNotice?.(
      `The whole batch of ${batchSize} images at once would need larger tensors than the ${formatMemory(currentDevice().largestTensor)} that this adapter binds, so it is computed in parts: the same result but for the order of sums.`,
    );
  }
  if (memory.recompute && !config.training.recompute) {
    onNotice?.(
      `Without computing blocks again for the gradient not even one image at a time fits into ${config.training.memory}, so training.recompute is on: a third more arithmetic, the same result.`,
    );
  }
}

/**
 * The model of now, if it is better than all before it by the denoising loss of held-out images, where that is known. The
 * paper's protocol keeps the last one.
 */
async function betterModel(
  phases: Phases,
  { onBest }: TrainingOptions,
  loss: number | undefined,
): Promise<Model | undefined> {
  const { trainer } = phases;
  if (loss !== undefined && trainer.config.protocol === "strict") {
    if (loss >= (trainer.best?.loss ?? Infinity)) return undefined;
    trainer.best = { step: trainer.step, loss };
  }
  const model = await phases.model();
  await onBest?.(model, loss);
  return model;
}

/** The configuration with the next smaller part of a batch, after one that the adapter had no room for. */
function smallerParts(error: unknown, { config, memory }: Trainer): Config | undefined {
  const { microBatch, recompute } = memory;
  const noRoom = error instanceof LimitError || error instanceof OutOfMemoryError;
  if (!noRoom || microBatch === 1) return undefined;
  const part = divisorsOf(config.training.batchSize).findLast((divisor) => divisor < microBatch)!;
  return { ...config, training: { ...config.training, microBatch: part, recompute } };
}
