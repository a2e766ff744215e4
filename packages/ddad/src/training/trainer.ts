/** Training of the denoiser on good images (DDPM, Ho et al. 2020, as DDAD uses it), exactly resumable. */
import {
  type AnyTensor,
  compile,
  currentDevice,
  type EMA,
  evaluate,
  type LossScale,
  type Optimizer,
  type Tensor,
  tensor,
  type UNet,
} from "@ddad/nn";
import { isPending, trimBuffers } from "@ddad/nn/internal";
import type { Config } from "../config/schema.ts";
import { augment } from "../data/augmentation.ts";
import { batchIndices } from "../data/batches.ts";
import { gatherPixels, type NamedImages } from "../data/imageSet.ts";
import { hashText } from "../data/random.ts";
import { createSchedule } from "../diffusion/denoiser.ts";
import { type Draw, drawTimestep, noiseKeys } from "../diffusion/noise.ts";
import type { Model, TrainingState } from "../model/modelFile.ts";
import { checkFinite, type Diverging, divergedAt } from "./diverged.ts";
import { stepWithinBudget, type TrainingMemory } from "./memory.ts";
import type { NoisedArguments, TrainingArguments, TrainingStep } from "./step.ts";
import { timestepBuckets, timestepIn, type ValidationLoss, validationLoss } from "./validationLoss.ts";

/** An image of a (micro-)batch: which, at which time step, and the draw that its noise hangs on. */
type Pick = { readonly index: number; readonly t: number; readonly draw: Draw };

type Compiled = (...args: AnyTensor[]) => Promise<Tensor>;

/**
 * Trains one network. Everything random is a function of the seed, the step and the image, so that a training that
 * resumes from its state ends at the same weights as one that never stopped. All its steps are at `data.imageSize`: `train` has one
 * for either phase of `training.progressive`.
 */
export class Trainer {
  /** Whole, as the training was asked for. */
  readonly config: Config;
  /** What it takes on the device, as planned, and in which parts a batch is computed. */
  readonly memory: TrainingMemory;
  /** Best validation so far. */
  best: TrainingState["best"];
  readonly #set: NamedImages;
  readonly #schedule: ReturnType<typeof createSchedule>;
  readonly #step: TrainingStep;
  readonly #whole: Compiled;
  readonly #part: Compiled;
  readonly #apply: (control: Tensor) => Promise<void>;
  readonly #losses: Compiled;

  private constructor(config: Config, set: NamedImages, step: TrainingStep, memory: TrainingMemory) {
    this.config = config;
    this.memory = memory;
    this.#set = set;
    this.#schedule = createSchedule(config);
    this.#step = step;
    this.#whole = compile((...[x, t, alphaBar, keys, dropoutKeys, control]: TrainingArguments) =>
      step.whole([x, t, alphaBar, keys], dropoutKeys, control),
    ) as Compiled;
    this.#part = compile((...[x, t, alphaBar, keys, dropoutKeys, keep]: TrainingArguments) =>
      step.part([x, t, alphaBar, keys], dropoutKeys, keep),
    ) as Compiled;
    this.#apply = compile((control: Tensor) => step.apply(control));
    this.#losses = compile((...[x, t, alphaBar, keys]: NoisedArguments) =>
      step.losses([x, t, alphaBar, keys]),
    ) as Compiled;
  }

  /**
   * A training at its start, or where `state` left off.
   *
   * @throws MemoryBudgetError where the configuration has a budget of memory and nothing fits into it.
   */
  static async create(config: Config, set: NamedImages, state?: TrainingState): Promise<Trainer> {
    const { step, memory } = await stepWithinBudget(config);
    const trainer = new Trainer(config, set, step, memory);
    if (state) await trainer.#load(state);
    return trainer;
  }

  /** The network that learns. */
  get denoiser(): UNet {
    return this.#step.denoiser;
  }

  /** Of the denoiser's parameters. */
  get optimizer(): Optimizer {
    return this.#step.optimizer;
  }

  /** The EMA of the denoiser's parameters, which models hold; undefined where the configuration has none. */
  get ema(): EMA | undefined {
    return this.#step.ema;
  }

  /** Where the precision is mixed. */
  get lossScale(): LossScale | undefined {
    return this.#step.lossScale;
  }

  /** Optimiser steps done. */
  get step(): number {
    return this.optimizer.stepCount;
  }

  /** One optimiser step; gives its loss, by `training.lossReduction`. */
  async takeStep(): Promise<number>;
  /**
   * The same, unless it is stopped.
   *
   * @param signal looked at before each micro-batch; once it is aborted, the step is dropped: nothing of it is kept
   * @returns undefined where the step was dropped
   */
  async takeStep(signal: AbortSignal | undefined): Promise<number | undefined>;
  async takeStep(signal?: AbortSignal): Promise<number | undefined> {
    const { seed, batchSize, maxTimestep } = this.config.training;
    const { ids } = this.#set;
    const { step } = this;
    const indices = batchIndices({ seed, step, batchSize, count: ids.length });
    const picks = indices.map((index, k): Pick => {
      const draw = { image: hashText(ids[index]!), step: step * batchSize + k };
      return { index, t: drawTimestep(seed, draw, maxTimestep + 1), draw };
    });
    if (signal?.aborted) return undefined;
    this.denoiser.train();
    if (this.memory.microBatch === batchSize) {
      return this.#stepLoss(this.#whole, picks, this.optimizer.control());
    }
    let loss = 0;
    for (const [k, part] of this.#partsOf(picks).entries()) {
      if (signal?.aborted) return undefined;
      loss += await this.#stepLoss(this.#part, part, tensor([k === 0 ? 0 : 1]));
    }
    if (signal?.aborted) return undefined;
    using control = this.optimizer.control();
    await this.#apply(control);
    return loss;
  }

  /**
   * Mean squared error of the denoising of held-out good images, by the EMA of the weights: every image at one time step of every
   * bucket, which is always the same, as is its noise.
   */
  async validate(heldOut: NamedImages): Promise<ValidationLoss>;
  /**
   * The same, unless it is stopped.
   *
   * @param signal looked at before each micro-batch
   * @returns undefined where the signal was aborted
   */
  async validate(heldOut: NamedImages, signal: AbortSignal | undefined): Promise<ValidationLoss | undefined>;
  async validate(heldOut: NamedImages, signal?: AbortSignal): Promise<ValidationLoss | undefined> {
    const { seed, maxTimestep } = this.config.training;
    const buckets = timestepBuckets(maxTimestep);
    const picks = buckets.flatMap((bucket, step) =>
      heldOut.ids.map((id, index): Pick => {
        const draw = { image: hashText(id), step };
        return { index, t: timestepIn(bucket, seed, draw), draw };
      }),
    );
    // The last part is filled up: a plan for its number of images would need buffers of other sizes.
    const { microBatch } = this.memory;
    while (picks.length % microBatch !== 0) picks.push(picks[0]!);
    const losses: number[] = [];
    this.denoiser.eval();
    await this.ema?.swap();
    try {
      for (const part of this.#partsOf(picks)) {
        if (signal?.aborted) return undefined;
        losses.push(...(await this.#run(this.#losses, part, "validation", heldOut)));
      }
    } finally {
      await this.ema?.swap();
    }
    const count = heldOut.ids.length;
    return validationLoss(
      buckets,
      buckets.map((_, index) => losses.slice(index * count, (index + 1) * count)),
    );
  }

  /** Everything needed to resume. @throws DivergedError where a number of it is not finite */
  async state(): Promise<TrainingState> {
    const weights = await this.denoiser.stateDict();
    const ema = await this.ema?.stateDict();
    const optimizer = await this.optimizer.stateDict();
    checkFinite(this.#diverging, this.step, weights, ema, optimizer);
    return {
      config: this.config,
      step: this.step,
      weights,
      ema,
      optimizer,
      lossScale: await this.lossScale?.stateDict(),
      best: this.best,
    };
  }

  /** The model to detect with: the EMA of the weights where one is kept. @throws DivergedError where a weight is not finite */
  async model(): Promise<Model> {
    const weights = await (this.ema ?? this.denoiser).stateDict();
    checkFinite(this.#diverging, this.step, weights);
    return { config: this.config, step: this.step, weights };
  }

  /** Frees the network and all that is kept with it. */
  dispose(): void {
    this.#step.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  async #load(state: TrainingState): Promise<void> {
    this.denoiser.loadStateDict(state.weights);
    this.optimizer.loadStateDict(state.optimizer);
    if (this.ema && state.ema) this.ema.loadStateDict(state.ema);
    if (this.lossScale && state.lossScale) this.lossScale.loadStateDict(state.lossScale);
    this.best = state.best;
    const { variables } = this.#step;
    const loaded = variables.filter(isPending).map(({ value }) => value);
    await evaluate(...variables);
    // What was loaded is in the variables' own buffers now; its own would stay until they are collected.
    for (const tensor of loaded) tensor.dispose();
    trimBuffers(currentDevice());
  }

  get #diverging(): Diverging {
    const { learningRate } = this.config.training;
    return { what: "Training", setting: "training.learningRate", learningRate };
  }

  /** Picks by as many as are computed at a time. */
  #partsOf(picks: readonly Pick[]): Pick[][] {
    const size = this.memory.microBatch;
    return Array.from({ length: Math.ceil(picks.length / size) }, (_, part) =>
      picks.slice(part * size, (part + 1) * size),
    );
  }

  async #stepLoss(compiled: Compiled, picks: readonly Pick[], control?: Tensor): Promise<number> {
    const [loss] = await this.#run(compiled, picks, "training", this.#set, control);
    return loss!;
  }

  #augment(pixels: Float32Array, draws: readonly Draw[]): void {
    const { seed, augmentation } = this.config.training;
    if (augmentation.length === 0) return;
    const values = pixels.length / draws.length;
    for (const [k, { image, step: position }] of draws.entries()) {
      augment(pixels.subarray(k * values, (k + 1) * values), augmentation, { seed, image, position });
    }
  }

  async #run(
    compiled: Compiled,
    picks: readonly Pick[],
    purpose: "training" | "validation",
    set: NamedImages,
    control?: Tensor,
  ): Promise<ArrayLike<number> & Iterable<number>> {
    const { seed } = this.config.training;
    const draws = picks.map(({ draw }) => draw);
    const times = picks.map(({ t }) => t);
    const size = this.config.data.imageSize;
    const pixels = gatherPixels(
      set.images,
      picks.map(({ index }) => index),
    );
    if (purpose === "training") this.#augment(pixels, draws);
    const args = [
      tensor(pixels, [picks.length, size, size, 3]),
      tensor(times),
      tensor(times.map((t) => this.#schedule.alphaBar(t))),
      noiseKeys(seed, purpose, draws),
      noiseKeys(seed, "dropout", draws),
      ...(control ? [control] : []),
    ];
    using result = await compiled(...args);
    const values = await result.data();
    for (const arg of args) arg.dispose();
    const wrong = values.find((value) => !Number.isFinite(value));
    if (wrong !== undefined) {
      const { step } = draws[0]!;
      const where =
        purpose === "validation"
          ? `the validation loss after step ${this.step}`
          : `the loss of step ${Math.floor(step / this.config.training.batchSize) + 1}`;
      throw divergedAt(this.#diverging, where, wrong);
    }
    return values;
  }
}
