import { batchNorm, ShapeError, type Tensor, tensor, UsageError, Variable } from "@ddad/tensor";
import { checkOptions, isPending, isRecomputing, isTracing, writeCount } from "@ddad/tensor/internal";
import { checkChannels, checkNumbers, checkSizes } from "../arguments.ts";
import { allOnes, allZeros } from "../init.ts";
import { Module } from "../module.ts";
import { type Parameter, parameter } from "../parameter.ts";
import { noteUpdate } from "../pendingBuffers.ts";

/** Batches that one graph may hold; more mean that the running statistics are never evaluated. */
const mostPending = 64;

/** Options of `BatchNorm2d`. */
export interface BatchNorm2dLayerOptions {
  /** Default 1e-5. */
  readonly epsilon?: number;
  /** Weight of a batch in the running statistics. Default 0.1. */
  readonly momentum?: number;
}

/**
 * Normalises channels to mean 0 and variance 1 over the batch and the pixels (Ioffe and Szegedy, ICML 2015).
 *
 * In training by the batch's own statistics (biased variance), which also move the running ones (unbiased variance). These are
 * pending until they are evaluated: `optimizer.minimize(loss)` does it, else evaluate the module's `buffers()` together with the
 * loss. In evaluation by the running statistics.
 */
export class BatchNorm2d extends Module {
  override readonly torchNames = { runningVariance: "running_var" };
  /** [channels] */
  readonly weight: Parameter;
  /** [channels] */
  readonly bias: Parameter;
  /** [channels] */
  readonly runningMean: Variable;
  /** [channels] */
  readonly runningVariance: Variable;
  /** [] i32: batches seen in training. */
  readonly numBatchesTracked: Variable<"i32">;
  /** Added to the variance. */
  readonly epsilon: number;
  /** Weight of a batch in the running statistics. */
  readonly momentum: number;
  /** Batches whose updates are recorded and not evaluated, and the contents of the buffer that they start from. */
  #pending = 0;
  #version = -1;

  /** @throws RangeError where a number is out of range, UsageError for an unknown option */
  constructor(channels: number, options: BatchNorm2dLayerOptions = {}) {
    super();
    const { epsilon = 1e-5, momentum = 0.1 } = checkOptions("BatchNorm2d", options, ["epsilon", "momentum"]);
    checkSizes("BatchNorm2d", { channels });
    checkNumbers("BatchNorm2d", { epsilon, momentum });
    this.weight = parameter([channels], { init: allOnes });
    this.bias = parameter([channels], { init: allZeros });
    this.runningMean = new Variable(tensor(new Float32Array(channels)));
    this.runningVariance = new Variable(tensor(new Float32Array(channels).fill(1)));
    this.numBatchesTracked = new Variable(tensor([0], [], { dtype: "i32" }));
    this.epsilon = epsilon;
    this.momentum = momentum;
  }

  /** x [N, H, W, channels], or any […, channels], → the same shape and type; computed in f32. Throws ShapeError for another number of channels and in training on one value a channel, UsageError where 64 batches were not evaluated. */
  forward(x: Tensor): Tensor {
    const { weight, bias, epsilon } = this;
    checkChannels("BatchNorm2d", x, weight.size);
    if (this.training) {
      const count = x.size / weight.size;
      if (count < 2) {
        throw new ShapeError(
          `BatchNorm2d: training needs at least 2 values a channel, but x is [${x.shape.join(", ")}]. ` +
            "Use a larger batch, or eval().",
        );
      }
      const { y, mean, variance } = batchNorm(x.cast("f32"), { weight, bias, epsilon });
      if (!isRecomputing()) this.#track(mean, variance.mul(count / (count - 1)));
      return y.cast(x.dtype);
    }
    const { scale, shift } = this.affine();
    return x.mul(scale).add(shift).cast(x.dtype);
  }

  /** What the norm does in evaluation, x · scale + shift, by the running statistics of this moment: [channels] each. */
  affine(): Record<"scale" | "shift", Tensor> {
    const scale = this.weight.mul(this.runningVariance.add(this.epsilon).rsqrt());
    return { scale, shift: this.bias.sub(this.runningMean.mul(scale)) };
  }

  #track(mean: Tensor, variance: Tensor): void {
    const { momentum, runningMean, runningVariance, numBatchesTracked } = this;
    this.#countPending();
    runningMean.assign(runningMean.mul(1 - momentum).add(mean.mul(momentum)));
    runningVariance.assign(runningVariance.mul(1 - momentum).add(variance.mul(momentum)));
    numBatchesTracked.assign(numBatchesTracked.add(1));
    noteUpdate(mean, [runningMean, runningVariance, numBatchesTracked]);
  }

  /** A chain of unevaluated updates holds the graphs of all its batches. */
  #countPending(): void {
    const version = writeCount(this.numBatchesTracked);
    const goesOn = isPending(this.numBatchesTracked) && version === this.#version;
    this.#pending = goesOn && !isTracing() ? this.#pending + 1 : 1;
    this.#version = version;
    if (this.#pending <= mostPending) return;
    throw new UsageError(
      `BatchNorm2d: ${mostPending} batches are recorded and their running statistics are not evaluated. ` +
        "Use optimizer.minimize(loss), evaluate net.buffers() together with the loss, or call eval() where nothing is trained.",
    );
  }
}
