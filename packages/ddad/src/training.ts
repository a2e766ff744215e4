/** Training of the denoiser on good pictures (DDPM, Ho et al. 2020, as DDAD uses it), exactly resumable. */
import {
  Adam,
  AdamW,
  averageWarmup,
  clipGradientNorm,
  clipScale,
  compile,
  constantRate,
  EMA,
  evaluate,
  grad,
  LossScale,
  type Optimizer,
  RandomStream,
  randomNormal,
  type Tensor,
  tensor,
  type UNet,
  Variable,
  warmupCosine,
  where,
} from "@ddad/nn";
import type { Config } from "./config.ts";
import { batchIndices } from "./datasets/batches.ts";
import { gatherPixels, type Pictures } from "./datasets/imageSet.ts";
import { hashText } from "./datasets/random.ts";
import { createDenoiser, denoisingError, scheduleOf } from "./denoiser.ts";
import { type HeldOutLoss, heldOutLoss, timestepBuckets, timestepIn } from "./heldOutLoss.ts";
import type { Model, TrainingState } from "./modelFile.ts";
import { type Draw, drawTimestep, noiseKeys } from "./noise.ts";

/** A picture of a (micro-)batch: which, at which time step, and the draw that its noise hangs on. */
type Pick = { readonly index: number; readonly t: number; readonly draw: Draw };

type Compiled = (...args: Tensor[]) => Promise<Tensor>;

/** x, t, ᾱ and the keys of the noise, as `NoisedBatch` has them. */
type NoisedArguments = [x: Tensor, t: Tensor, alphaBar: Tensor, keys: Tensor];

/**
 * Trains one network. Everything random is a function of the seed, the step and the picture, so that a training that
 * goes on from its state ends at the same weights as one that never stopped.
 */
export class Trainer {
  readonly config: Config;
  readonly denoiser: UNet;
  readonly optimizer: Optimizer;
  readonly average: EMA | undefined;
  /** Where the precision is mixed. */
  readonly lossScale: LossScale | undefined;
  /** Best validation so far. */
  best: TrainingState["best"];
  readonly #set: Pictures;
  readonly #schedule: ReturnType<typeof scheduleOf>;
  /** Sums of gradients over micro-batches; empty where a batch is one micro-batch. */
  readonly #sums: readonly Variable[];
  readonly #whole: Compiled;
  readonly #part: Compiled;
  readonly #apply: (control: Tensor) => Promise<void>;
  /** Mean squared error of each picture, `[N]`. */
  readonly #losses: Compiled;

  private constructor(config: Config, set: Pictures) {
    const { training } = config;
    this.config = config;
    this.#set = set;
    this.#schedule = scheduleOf(config);
    this.denoiser = createDenoiser(config);
    this.average =
      training.ema > 0 ? new EMA(this.denoiser, { decay: averageWarmup(training.ema) }) : undefined;
    this.optimizer = createOptimizer(config, this.denoiser, this.average);
    this.lossScale = config.precision === "mixed" ? new LossScale() : undefined;
    this.#sums = this.#microBatch < training.batchSize ? this.optimizer.parameters.map(zerosLike) : [];
    this.#whole = compile((x, t, alphaBar, keys, dropoutKeys, control) => {
      const loss = this.#lossOf([x!, t!, alphaBar!, keys!], dropoutKeys);
      this.#update(this.#gradientsOf(loss), control!);
      return loss;
    });
    this.#part = compile((x, t, alphaBar, keys, dropoutKeys) => {
      const loss = this.#lossOf([x!, t!, alphaBar!, keys!], dropoutKeys);
      const gradients = this.#gradientsOf(loss);
      for (const [k, sum] of this.#sums.entries()) sum.assign(sum.add(gradients[k]!));
      return loss;
    });
    this.#apply = compile((control: Tensor) => {
      this.#update(this.#sums, control);
      // A product with 0 would keep what is not finite.
      for (const sum of this.#sums) sum.assign(where(sum.finite(), 0, 0));
      return undefined;
    }) as (control: Tensor) => Promise<void>;
    this.#losses = compile((x, t, alphaBar, keys) =>
      this.#errorOf([x!, t!, alphaBar!, keys!], undefined).mean([1, 2, 3]),
    );
  }

  /** A training at its start, or where `state` left off. */
  static async create(config: Config, set: Pictures, state?: TrainingState): Promise<Trainer> {
    const trainer = new Trainer(config, set);
    if (state) {
      trainer.denoiser.loadStateDict(state.weights);
      trainer.optimizer.loadStateDict(state.optimizer);
      if (trainer.average && state.average) trainer.average.loadStateDict(state.average);
      if (trainer.lossScale && state.lossScale) trainer.lossScale.loadStateDict(state.lossScale);
      trainer.best = state.best;
    }
    await evaluate(...trainer.optimizer.variables, ...(trainer.lossScale?.variables ?? []));
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
    const { seed, batchSize, maxTimestep } = this.config.training;
    const { ids } = this.#set;
    const { step } = this;
    const indices = batchIndices({ seed, step, batchSize, count: ids.length });
    const picks = indices.map((index, k): Pick => {
      const draw = { image: hashText(ids[index]!), step: step * batchSize + k };
      return { index, t: drawTimestep(seed, draw, maxTimestep + 1), draw };
    });
    this.denoiser.train();
    if (!this.#sums.length) return this.#stepLoss(this.#whole, picks, this.optimizer.control());
    let loss = 0;
    for (const part of this.#partsOf(picks)) loss += await this.#stepLoss(this.#part, part);
    using control = this.optimizer.control();
    await this.#apply(control);
    return loss;
  }

  /**
   * Mean squared error of the denoising of held-out good pictures, averaged weights: every picture at one time step of every
   * bucket, which is always the same, as is its noise.
   */
  async validate(heldOut: Pictures): Promise<HeldOutLoss> {
    const { seed, maxTimestep } = this.config.training;
    const buckets = timestepBuckets(maxTimestep);
    const picks = buckets.flatMap((bucket, step) =>
      heldOut.ids.map((id, index): Pick => {
        const draw = { image: hashText(id), step };
        return { index, t: timestepIn(bucket, seed, draw), draw };
      }),
    );
    this.denoiser.eval();
    await this.average?.swap();
    const losses: number[] = [];
    for (const part of this.#partsOf(picks)) {
      losses.push(...(await this.#run(this.#losses, part, "validation", heldOut)));
    }
    await this.average?.swap();
    const count = heldOut.ids.length;
    return heldOutLoss(
      buckets,
      buckets.map((_, index) => losses.slice(index * count, (index + 1) * count)),
    );
  }

  /** Everything needed to go on. */
  async state(): Promise<TrainingState> {
    return {
      config: this.config,
      step: this.step,
      weights: await this.denoiser.stateDict(),
      average: await this.average?.stateDict(),
      optimizer: await this.optimizer.stateDict(),
      lossScale: await this.lossScale?.stateDict(),
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
    this.lossScale?.dispose();
    this.denoiser.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Sum over the pictures of (ε − ε̂)², divided by the whole batch (and by the values of a picture for "mean"). */
  #lossOf(noised: NoisedArguments, dropoutKeys: Tensor | undefined): Tensor {
    const { batchSize, lossReduction } = this.config.training;
    const error = this.#errorOf(noised, dropoutKeys);
    const values = lossReduction === "mean" ? error.size / error.shape[0]! : 1;
    return error.sum().mul(1 / (batchSize * values));
  }

  /** (ε − ε̂)², `[N, H, W, C]`. */
  #errorOf([x, t, alphaBar, keys]: NoisedArguments, dropoutKeys: Tensor | undefined): Tensor {
    const noise = randomNormal(keys, x.shape);
    const random = dropoutKeys && this.denoiser.training ? new RandomStream(dropoutKeys) : undefined;
    return denoisingError(this.denoiser, { x, noise, t, alphaBar }, random);
  }

  /** Gradients of the loss, or of the scaled loss where there is a scale. */
  #gradientsOf(loss: Tensor): Tensor[] {
    return grad(this.lossScale?.scale(loss) ?? loss, this.optimizer.parameters);
  }

  #update(gradients: readonly Tensor[], control: Tensor): void {
    this.optimizer.step(gradients, { control, ...this.#gradientScale(gradients) });
  }

  /** What undoes the scale of the loss and clips. */
  #gradientScale(gradients: readonly Tensor[]): { gradientScale?: Tensor } {
    const { clip } = this.config.training;
    const unscaled = this.lossScale?.update(gradients);
    if (clip === 0) return unscaled ? { gradientScale: unscaled.factor } : {};
    if (!unscaled) return { gradientScale: clipGradientNorm(gradients, clip).scale };
    const clipped = unscaled.factor.mul(clipScale(unscaled.norm, clip));
    // The norm of a step that is skipped is not finite.
    return { gradientScale: where(unscaled.norm.finite(), clipped, 0) };
  }

  /** Picks by as many as are computed at a time. */
  #partsOf(picks: readonly Pick[]): Pick[][] {
    const size = this.#microBatch;
    return Array.from({ length: Math.ceil(picks.length / size) }, (_, part) =>
      picks.slice(part * size, (part + 1) * size),
    );
  }

  async #stepLoss(compiled: Compiled, picks: readonly Pick[], control?: Tensor): Promise<number> {
    const [loss] = await this.#run(compiled, picks, "training", this.#set, control);
    return loss!;
  }

  async #run(
    compiled: Compiled,
    picks: readonly Pick[],
    purpose: "training" | "validation",
    set: Pictures,
    control?: Tensor,
  ): Promise<ArrayLike<number> & Iterable<number>> {
    const { seed } = this.config.training;
    const draws = picks.map(({ draw }) => draw);
    const times = picks.map(({ t }) => t);
    const size = this.config.data.imageSize;
    const indices = picks.map(({ index }) => index);
    const args = [
      tensor(gatherPixels(set.images, indices), [picks.length, size, size, 3]),
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
      throw new RangeError(
        `Training diverged: the loss of step ${this.step} is ${wrong}. Lower training.learningRate.`,
      );
    }
    return values;
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
