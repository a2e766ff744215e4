/** Training of the denoiser on good pictures (DDPM, Ho et al. 2020, as DDAD uses it), exactly resumable. */
import {
  Adam,
  AdamW,
  averageWarmup,
  clipGradientNorm,
  compile,
  constantRate,
  EMA,
  evaluate,
  grad,
  type Optimizer,
  RandomStream,
  randomNormal,
  type Tensor,
  tensor,
  type UNet,
  Variable,
  warmupCosine,
} from "@ddad/nn";
import type { Config } from "./config.ts";
import { batchIndices } from "./datasets/batches.ts";
import { gatherPixels, type ImageSet } from "./datasets/imageSet.ts";
import { hashText } from "./datasets/random.ts";
import { createDenoiser, denoisingError, scheduleOf } from "./denoiser.ts";
import type { Model, TrainingState } from "./modelFile.ts";
import { type Draw, drawTimestep, noiseKeys } from "./noise.ts";

/** Good pictures and their ids. */
export type TrainingSet = { readonly images: ImageSet; readonly ids: readonly string[] };

/** Pictures of one (micro-)batch: which, and the draw that noise and time step hang on. */
type Pick = { readonly index: number; readonly draw: Draw };

/** Time steps per held-out picture in the validation loss. */
const validationDraws = 4;

/**
 * Trains one network. Everything random is a function of the seed, the step and the picture, so that a training that
 * goes on from its state ends at the same weights as one that never stopped.
 */
export class Trainer {
  readonly config: Config;
  readonly denoiser: UNet;
  readonly optimizer: Optimizer;
  readonly average: EMA | undefined;
  /** Best validation so far. */
  best: TrainingState["best"];
  readonly #set: TrainingSet;
  readonly #schedule: ReturnType<typeof scheduleOf>;
  /** Sums of gradients over micro-batches; empty where a batch is one micro-batch. */
  readonly #sums: readonly Variable[];
  readonly #whole: (...args: Tensor[]) => Promise<Tensor>;
  readonly #part: (...args: Tensor[]) => Promise<Tensor>;
  readonly #apply: (control: Tensor) => Promise<void>;
  readonly #loss: (...args: Tensor[]) => Promise<Tensor>;

  private constructor(config: Config, set: TrainingSet) {
    const { training } = config;
    this.config = config;
    this.#set = set;
    this.#schedule = scheduleOf(config);
    this.denoiser = createDenoiser(config);
    this.average =
      training.ema > 0 ? new EMA(this.denoiser, { decay: averageWarmup(training.ema) }) : undefined;
    this.optimizer = createOptimizer(config, this.denoiser, this.average);
    this.#sums = this.#microBatch < training.batchSize ? this.optimizer.parameters.map(zerosLike) : [];
    this.#whole = compile((x, t, alphaBar, keys, dropoutKeys, control) => {
      const loss = this.#lossOf([x!, t!, alphaBar!, keys!], dropoutKeys);
      this.#update(grad(loss, this.optimizer.parameters), control!);
      return loss;
    });
    this.#part = compile((x, t, alphaBar, keys, dropoutKeys) => {
      const loss = this.#lossOf([x!, t!, alphaBar!, keys!], dropoutKeys);
      const gradients = grad(loss, this.optimizer.parameters);
      for (const [k, sum] of this.#sums.entries()) sum.assign(sum.add(gradients[k]!));
      return loss;
    });
    this.#apply = compile((control: Tensor) => {
      this.#update(this.#sums, control);
      for (const sum of this.#sums) sum.assign(sum.mul(0));
      return undefined;
    }) as (control: Tensor) => Promise<void>;
    this.#loss = compile((x, t, alphaBar, keys) => this.#lossOf([x!, t!, alphaBar!, keys!], undefined));
  }

  /** A training at its start, or where `state` left off. */
  static async create(config: Config, set: TrainingSet, state?: TrainingState): Promise<Trainer> {
    const trainer = new Trainer(config, set);
    if (state) {
      trainer.denoiser.loadStateDict(state.weights);
      trainer.optimizer.loadStateDict(state.optimizer);
      if (trainer.average && state.average) trainer.average.loadStateDict(state.average);
      trainer.best = state.best;
    }
    await evaluate(...trainer.optimizer.variables);
    return trainer;
  }

  /** Optimiser steps done. */
  get step(): number {
    return this.optimizer.stepCount;
  }

  get #microBatch(): number {
    const { batchSize, microBatch = batchSize } = this.config.training;
    return Math.min(microBatch, batchSize);
  }

  /** One optimiser step; gives its loss, by `training.lossReduction`. */
  async takeStep(): Promise<number> {
    const { seed, batchSize } = this.config.training;
    const { ids } = this.#set;
    const { step } = this;
    const indices = batchIndices({ seed, step, batchSize, count: ids.length });
    const picks = indices.map((index, k): Pick => {
      return { index, draw: { image: hashText(ids[index]!), step: step * batchSize + k } };
    });
    this.denoiser.train();
    if (!this.#sums.length) return this.#run(this.#whole, picks, "training", this.optimizer.control());
    let loss = 0;
    for (let from = 0; from < batchSize; from += this.#microBatch) {
      loss += await this.#run(this.#part, picks.slice(from, from + this.#microBatch), "training");
    }
    using control = this.optimizer.control();
    await this.#apply(control);
    return loss;
  }

  /** Mean squared error of the denoising of held-out good pictures at fixed time steps and noises, averaged weights. */
  async validate(heldOut: TrainingSet): Promise<number> {
    const { ids } = heldOut;
    const picks = ids.flatMap((id, index) =>
      Array.from(
        { length: validationDraws },
        (_, step): Pick => ({ index, draw: { image: hashText(id), step } }),
      ),
    );
    this.denoiser.eval();
    await this.average?.swap();
    let total = 0;
    for (let from = 0; from < picks.length; from += this.#microBatch) {
      total += await this.#run(
        this.#loss,
        picks.slice(from, from + this.#microBatch),
        "validation",
        undefined,
        heldOut,
      );
    }
    await this.average?.swap();
    const { imageSize } = this.config.data;
    const values = this.config.training.lossReduction === "mean" ? 1 : imageSize * imageSize * 3;
    return (total * this.config.training.batchSize) / (picks.length * values);
  }

  /** Everything needed to go on. */
  async state(): Promise<TrainingState> {
    return {
      config: this.config,
      step: this.step,
      weights: await this.denoiser.stateDict(),
      average: await this.average?.stateDict(),
      optimizer: await this.optimizer.stateDict(),
      best: this.best,
    };
  }

  /** The model to detect with: the averaged weights where an average is kept. */
  async model(): Promise<Model> {
    const weights = await (this.average ?? this.denoiser).stateDict();
    return { config: this.config, step: this.step, weights };
  }

  /** Frees the network and all that is kept with it. */
  dispose(): void {
    for (const sum of this.#sums) sum.dispose();
    this.average?.dispose();
    this.optimizer.dispose();
    this.denoiser.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Sum over the pictures of (ε − ε̂)², divided by the whole batch (and by the values of a picture for "mean"). */
  #lossOf([x, t, alphaBar, keys]: [Tensor, Tensor, Tensor, Tensor], dropoutKeys: Tensor | undefined): Tensor {
    const { batchSize, lossReduction } = this.config.training;
    const noise = randomNormal(keys, x.shape);
    const random = dropoutKeys && this.denoiser.training ? new RandomStream(dropoutKeys) : undefined;
    const error = denoisingError(this.denoiser, { x, noise, t, alphaBar }, random);
    const values = lossReduction === "mean" ? x.size / x.shape[0]! : 1;
    return error.sum().mul(1 / (batchSize * values));
  }

  #update(gradients: readonly Tensor[], control: Tensor): void {
    const { clip } = this.config.training;
    const scale = clip > 0 ? { gradientScale: clipGradientNorm(gradients, clip).scale } : {};
    this.optimizer.step(gradients, { control, ...scale });
  }

  async #run(
    compiled: (...args: Tensor[]) => Promise<Tensor>,
    picks: readonly Pick[],
    purpose: "training" | "validation",
    control?: Tensor,
    set: TrainingSet = this.#set,
  ): Promise<number> {
    const { seed, maxTimestep } = this.config.training;
    const draws = picks.map(({ draw }) => draw);
    const size = this.config.data.imageSize;
    const times = draws.map((draw) => drawTimestep(seed, draw, maxTimestep + 1));
    const args = [
      tensor(
        gatherPixels(
          set.images,
          picks.map(({ index }) => index),
        ),
        [picks.length, size, size, 3],
      ),
      tensor(times),
      tensor(times.map((t) => this.#schedule.alphaBar(t))),
      noiseKeys(seed, purpose, draws),
      noiseKeys(seed, "dropout", draws),
      ...(control ? [control] : []),
    ];
    using loss = await compiled(...args);
    const value = await loss.item();
    for (const arg of args) arg.dispose();
    if (!Number.isFinite(value)) {
      throw new RangeError(
        `Training diverged: the loss of step ${this.step} is ${value}. Lower training.learningRate.`,
      );
    }
    return value;
  }
}

const zerosLike = ({ size, shape }: Variable): Variable =>
  new Variable(tensor(new Float32Array(size), shape));

function createOptimizer({ training }: Config, denoiser: UNet, average: EMA | undefined): Optimizer {
  const { learningRate, schedule, steps, warmup, optimizer, weightDecay } = training;
  const rate =
    schedule === "cosine" || warmup > 0
      ? warmupCosine({ peak: learningRate, steps, warmup, floor: schedule === "cosine" ? 0 : learningRate })
      : constantRate(learningRate);
  const options = { rate, weightDecay, ...(average && { average }) };
  return optimizer === "adam" ? new Adam(denoiser, options) : new AdamW(denoiser, options);
}
