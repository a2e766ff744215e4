/** What one step of a training computes: recorded here, compiled by `Trainer`, and planned before that by `planTraining`. */
import {
  Adam,
  AdamW,
  clipGradientNorm,
  constantSchedule,
  EMA,
  emaWarmup,
  evaluate,
  grad,
  LossScale,
  type Optimizer,
  RandomStream,
  randomNormal,
  type Tensor,
  type UNet,
  type Variable,
  warmupCosine,
  where,
} from "@ddad/nn";
import { accumulate, clipScale, contiguousZeros } from "@ddad/nn/internal";
import type { Config } from "../config/schema.ts";
import { createDenoiser, denoisingError } from "../diffusion/denoiser.ts";

/** What a step of the training reads. */
export type TrainingArguments = readonly [
  ...noised: NoisedArguments,
  dropoutKeys: Tensor<"u32">,
  control: Tensor,
];

/** x, t, ᾱ and the keys of the noise, as `NoisedBatch` has them. */
export type NoisedArguments = readonly [x: Tensor, t: Tensor, alphaBar: Tensor, keys: Tensor<"u32">];

/** The network, what is kept with it, and how they change. */
export class TrainingStep {
  readonly config: Config;
  readonly denoiser: UNet;
  readonly optimizer: Optimizer;
  readonly ema: EMA | undefined;
  /** Where the precision is mixed. */
  readonly lossScale: LossScale | undefined;
  #sums: readonly Variable[] | undefined;

  private constructor(config: Config) {
    const { ema } = config.training;
    this.config = config;
    this.denoiser = createDenoiser(config);
    this.ema = ema > 0 ? new EMA(this.denoiser, { decay: emaWarmup(ema) }) : undefined;
    this.optimizer = createOptimizer(config, this.denoiser, this.ema);
    this.lossScale = config.precision === "mixed" ? new LossScale() : undefined;
  }

  /** With the weights that a training starts with. */
  static async create(config: Config): Promise<TrainingStep> {
    const step = new TrainingStep(config);
    await evaluate(...step.variables);
    return step;
  }

  /** All that a step changes and the next one needs. */
  get variables(): readonly Variable[] {
    return [...this.optimizer.variables, ...(this.lossScale?.variables ?? [])];
  }

  /** Sums of the gradients of a batch's parts; they come into being where a batch has parts. */
  get sums(): readonly Variable[] {
    this.#sums ??= contiguousZeros(this.optimizer.parameters.map(({ shape }) => shape));
    return this.#sums;
  }

  /** A step over a whole batch; its loss. */
  whole(noised: NoisedArguments, dropoutKeys: Tensor<"u32">, control: Tensor): Tensor {
    const loss = this.#lossOf(noised, dropoutKeys);
    this.#update(this.#gradientsOf(loss), control);
    return loss;
  }

  /**
   * Adds the gradients of a part of a batch to the sums; its fraction of the loss.
   *
   * @param keep [1]: 0 for the first part of a batch, whose gradients take the place of what was there; 1 for the others
   */
  part(noised: NoisedArguments, dropoutKeys: Tensor<"u32">, keep: Tensor): Tensor {
    const loss = this.#lossOf(noised, dropoutKeys);
    const gradients = this.#gradientsOf(loss);
    for (const [k, sum] of this.sums.entries()) sum.assign(accumulate(sum, gradients[k]!, keep));
    return loss;
  }

  /** The step once all parts are summed up. */
  apply(control: Tensor): void {
    this.#update(this.sums, control);
  }

  /** Mean squared error of each image, `[N]`, without learning from it. */
  losses(noised: NoisedArguments): Tensor {
    return this.#errorOf(noised, undefined).mean([1, 2, 3]);
  }

  /** Frees the network and all that is kept with it. */
  dispose(): void {
    for (const sum of this.#sums ?? []) sum.dispose();
    this.ema?.dispose();
    this.optimizer.dispose();
    this.lossScale?.dispose();
    this.denoiser.dispose();
  }

  /** Sum over the images of (ε − ε̂)², divided by the whole batch (and by the values of an image for "mean"). */
  #lossOf(noised: NoisedArguments, dropoutKeys: Tensor<"u32">): Tensor {
    const { batchSize, lossReduction } = this.config.training;
    const error = this.#errorOf(noised, dropoutKeys);
    const values = lossReduction === "mean" ? error.size / error.shape[0]! : 1;
    return error.sum().mul(1 / (batchSize * values));
  }

  /** (ε − ε̂)², `[N, H, W, C]`. */
  #errorOf([x, t, alphaBar, keys]: NoisedArguments, dropoutKeys: Tensor<"u32"> | undefined): Tensor {
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
    return { gradientScale: where(unscaled.norm.isFinite(), clipped, 0) };
  }
}

function createOptimizer({ training }: Config, denoiser: UNet, ema: EMA | undefined): Optimizer {
  const { learningRate, schedule, steps, warmup, optimizer, weightDecay } = training;
  const learningRateSchedule =
    schedule === "cosine" || warmup > 0
      ? warmupCosine({ peak: learningRate, steps, warmup, floor: schedule === "cosine" ? 0 : learningRate })
      : constantSchedule(learningRate);
  const options = { learningRate: learningRateSchedule, weightDecay, ...(ema && { ema }) };
  return optimizer === "adam" ? new Adam(denoiser, options) : new AdamW(denoiser, options);
}
