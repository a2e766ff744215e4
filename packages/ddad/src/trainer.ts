/** One step of training: noise, loss, gradients, update; compiled once and replayed. */
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
  RandomStream,
  type Schedule,
  type Tensor,
  tensor,
  type UNet,
  Variable,
  warmupCosine,
} from "@ddad/nn";
import type { Config } from "./config.ts";
import { createDenoiser, denoisingError, scheduleOf } from "./denoiser.ts";
import type { TrainingState } from "./modelFile.ts";
import type { NoiseSchedule } from "./schedule.ts";

/** The pictures of one step with their noise. Rows are asked for by a micro-batch at a time. */
export type TrainingBatch = {
  /** `[N, S, S, 3]` in [−1, 1]. */
  readonly pixels: Float32Array;
  /** Time step of each picture, `[N]`. */
  readonly timesteps: readonly number[];
  /** Standard normal noise of `count` pictures from number `from` on, `[count, S, S, 3]`. */
  noise(from: number, count: number): Tensor;
  /** Keys for dropout, `[count, 4]` (u32). */
  dropoutKeys(from: number, count: number): Tensor;
};

/** Where a micro-batch stands in its batch. Only the last one updates the weights. */
type Position = "only" | "first" | "middle" | "last";

type MicroStep = (...args: Tensor[]) => Promise<Tensor>;

/** A network in training: its weights, their running mean and the optimiser. */
export class Trainer {
  readonly config: Config;
  readonly denoiser: UNet;
  readonly average: EMA | undefined;
  readonly #optimizer: Adam | AdamW;
  readonly #schedule: NoiseSchedule;
  readonly #steps = new Map<Position, MicroStep>();
  /** Sums of gradients, one a parameter; made when a batch first comes in parts. */
  #sums: Variable[] = [];

  constructor(config: Config) {
    const { optimizer, weightDecay, ema } = config.training;
    this.config = config;
    this.denoiser = createDenoiser(config);
    this.average = ema > 0 ? new EMA(this.denoiser, { decay: averageWarmup(ema) }) : undefined;
    this.#schedule = scheduleOf(config);
    const options = {
      rate: learningRate(config),
      weightDecay,
      ...(this.average && { average: this.average }),
    };
    const Optimizer = optimizer === "adamw" ? AdamW : Adam;
    this.#optimizer = new Optimizer(this.denoiser, options);
  }

  /** Steps taken so far. */
  get stepCount(): number {
    return this.#optimizer.stepCount;
  }

  /**
   * Takes one step. The gradient of the batch is the sum of those of its micro-batches, so the split changes memory
   * and rounding alone.
   *
   * @param microBatch pictures at a time; divides the batch.
   * @returns the shares of the loss, one element each, whose sum is the loss before the step.
   */
  async step(batch: TrainingBatch, microBatch: number): Promise<Tensor[]> {
    const count = batch.timesteps.length;
    if (count !== this.config.training.batchSize || count % microBatch !== 0) {
      throw new RangeError(
        `Trainer: a batch must have ${this.config.training.batchSize} pictures in equal parts, ` +
          `but ${count} in parts of ${microBatch} were given.`,
      );
    }
    const shares: Tensor[] = [];
    const stepsBefore = this.stepCount;
    try {
      for (let from = 0; from < count; from += microBatch) {
        const last = from + microBatch === count;
        const position = from === 0 ? (last ? "only" : "first") : last ? "last" : "middle";
        const args = this.#arguments(batch, from, microBatch);
        if (last) args.push(this.#optimizer.control());
        shares.push(await this.#microStep(position)(...args));
        for (const used of args) used.dispose();
      }
    } catch (error) {
      this.#optimizer.stepCount = stepsBefore;
      throw error;
    }
    return shares;
  }

  #arguments(batch: TrainingBatch, from: number, count: number): Tensor[] {
    const size = this.config.data.imageSize;
    const stride = size * size * 3;
    const timesteps = batch.timesteps.slice(from, from + count);
    return [
      tensor(batch.pixels.subarray(from * stride, (from + count) * stride), [count, size, size, 3]),
      batch.noise(from, count),
      tensor(timesteps),
      tensor(timesteps.map((t) => this.#schedule.alphaBar(t))),
      batch.dropoutKeys(from, count),
    ];
  }

  #microStep(position: Position): MicroStep {
    const known = this.#steps.get(position);
    if (known) return known;
    if (position !== "only" && this.#sums.length === 0) {
      this.#sums = this.#optimizer.parameters.map(
        ({ shape, size }) => new Variable(tensor(new Float32Array(size), shape)),
      );
    }
    const step = compile((...args: Tensor[]) => this.#record(position, args));
    this.#steps.set(position, step);
    return step;
  }

  #record(position: Position, args: readonly Tensor[]): Tensor {
    const [x, noise, t, alphaBar, keys, control] = args as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    const { batchSize, lossReduction, clip } = this.config.training;
    this.denoiser.train();
    const error = denoisingError(this.denoiser, { x, noise, t, alphaBar }, new RandomStream(keys));
    const values = lossReduction === "sum" ? batchSize : (batchSize * x.size) / x.shape[0]!;
    const share = error.sum().mul(1 / values);
    let gradients = grad(share, this.#optimizer.parameters);
    if (position === "middle" || position === "last") {
      gradients = gradients.map((gradient, i) => this.#sums[i]!.add(gradient));
    }
    if (position === "first" || position === "middle") {
      gradients.forEach((gradient, i) => {
        this.#sums[i]!.assign(gradient);
      });
    } else {
      const scale = clip > 0 ? { gradientScale: clipGradientNorm(gradients, clip).scale } : {};
      this.#optimizer.step(gradients, { control, ...scale });
    }
    return share;
  }

  /** Runs `work` with the running mean of the weights in the network, where one is kept. */
  async withAverage<T>(work: () => Promise<T>): Promise<T> {
    await this.average?.swap();
    try {
      return await work();
    } finally {
      await this.average?.swap();
    }
  }

  async state(): Promise<Omit<TrainingState, "best">> {
    return {
      config: this.config,
      step: this.stepCount,
      weights: await this.denoiser.stateDict(),
      average: await this.average?.stateDict(),
      optimizer: await this.#optimizer.stateDict(),
    };
  }

  /** Goes on from a saved state. @throws StateDictError listing every mismatch. */
  async load({
    weights,
    average,
    optimizer,
  }: Pick<TrainingState, "weights" | "average" | "optimizer">): Promise<void> {
    this.denoiser.loadStateDict(weights);
    if (this.average && average) this.average.loadStateDict(average);
    this.#optimizer.loadStateDict(optimizer);
    await evaluate(...this.#optimizer.variables);
  }

  dispose(): void {
    for (const sum of this.#sums) sum.dispose();
    this.#optimizer.dispose();
    this.average?.dispose();
    this.denoiser.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function learningRate({ training }: Config): Schedule {
  const { schedule, learningRate: peak, steps, warmup } = training;
  if (schedule === "cosine") return warmupCosine({ peak, steps, warmup });
  const rate = constantRate(peak);
  return (step) => (step < warmup ? (peak * (step + 1)) / warmup : rate(step));
}
