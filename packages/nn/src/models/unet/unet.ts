/** The denoising network of DDAD: a UNet of residual and attention blocks with a time embedding. */
import { concat, type RandomStream, recompute, ShapeError, type Tensor, UsageError } from "@ddad/tensor";
import { checkOptions, checkTensor } from "@ddad/tensor/internal";
import { HostRandom } from "../../hostRandom.ts";
import { allZeros, defaultRandom } from "../../init.ts";
import { Conv2d } from "../../layers/conv2d.ts";
import { GroupNorm } from "../../layers/groupNorm.ts";
import { Linear } from "../../layers/linear.ts";
import { TimeEmbedding, type TimeSteps } from "../../layers/timeEmbedding.ts";
import { Module } from "../../module.ts";
import { toF16 } from "../../parameter.ts";
import { AttentionBlock } from "./attentionBlock.ts";
import { type Precision, planUNet, type UNetOptions, type UNetPlan } from "./options.ts";
import { ResidualBlock } from "./residualBlock.ts";

/** Layers between two points where the way up takes over activations of the way down. */
type Stage = readonly (Conv2d | ResidualBlock | AttentionBlock)[];

/**
 * Dhariwal and Nichol, "Diffusion models beat GANs on image synthesis" (2021), in the configuration of DDAD
 * (arXiv 2305.15956). State-dict keys are those of the published checkpoints.
 */
export class UNet extends Module {
  override readonly torchNames = { outNorm: "out.0", outConv: "out.2" };
  /** From t to the features that all residual blocks read. */
  readonly timeEmbedding: TimeEmbedding;
  /** Stages of the way down; the first is the convolution of the input. */
  readonly down: readonly Stage[];
  /** Residual block, attention, residual block at the smallest size. */
  readonly middle: Stage;
  /** Stages of the way up; each also reads the output of one stage of the way down. */
  readonly up: readonly Stage[];
  /** In front of the last convolution, with SiLU. */
  readonly outNorm: GroupNorm;
  /** 3×3 to the image's channels, zero at the start. */
  readonly outConv: Conv2d;

  /** How a call computes. */
  readonly precision: Precision;

  /** Whether blocks are recomputed for the gradient. */
  readonly recompute: boolean;

  /** @throws RangeError for options that do not fit together */
  constructor(options: UNetOptions) {
    super();
    const plan = planUNet(options);
    this.recompute = options.recompute ?? false;
    this.precision = options.precision ?? "f32";
    const random = options.seed === undefined ? defaultRandom() : new HostRandom(options.seed);
    const blocks = new Blocks(plan, random);
    const [first] = plan.levels as [number];
    this.timeEmbedding = new TimeEmbedding(plan.baseChannels, blocks.timeFeatures, { random });
    const { stages, skips } = buildDown(
      plan,
      blocks,
      new Conv2d(plan.inChannels, first, 3, { padding: 1, random }),
    );
    this.down = stages;
    const deepest = plan.levels.at(-1)!;
    this.middle = [
      blocks.residual(deepest, deepest),
      blocks.attention(deepest),
      blocks.residual(deepest, deepest),
    ];
    this.up = buildUp(plan, blocks, skips);
    this.outNorm = new GroupNorm(32, first, { activation: "silu" });
    this.outConv = new Conv2d(first, plan.inChannels, 3, { padding: 1, init: allZeros, initBias: allZeros });
  }

  /**
   * Predicts the noise in `x`.
   *
   * @param x [N, H, W, C], height and width multiples of 2^(levels − 1)
   * @param t [N], time steps as f32 or i32
   * @param options `random`: what dropout draws from in training; default: anew in each call, from the generator of `setSeed`
   * @returns [N, H, W, C]
   */
  forward(x: Tensor, t: TimeSteps, options: { readonly random?: RandomStream | undefined } = {}): Tensor {
    const { random } = checkOptions("UNet", options, ["random"]);
    this.#checkShapes(x, t);
    const embedding = this.timeEmbedding.forward(t);
    const time = embedding.silu().reshape([x.shape[0]!, 1, 1, embedding.shape[1]!]); // activated once for all blocks
    const run = (stage: Stage, input: Tensor): Tensor =>
      stage.reduce(
        (h, layer) => (layer instanceof Conv2d ? layer.forward(h) : this.#block(layer, h, time, random)),
        input,
      );
    const skips: Tensor[] = [];
    let h = this.precision === "mixed" ? x.cast("f16") : x;
    for (const stage of this.down) {
      h = run(stage, h);
      skips.push(h);
    }
    h = run(this.middle, h);
    for (const stage of this.up) h = run(stage, concat([h, skips.pop()!], 3));
    return this.outConv.forward(this.outNorm.forward(h)).cast(x.dtype);
  }

  /**
   * For inference in mixed precision: weights of f16 features are stored in f16 instead of being cast by every call: half
   * the memory, the same results. They cannot be trained any more.
   */
  async castWeightsToF16(): Promise<this> {
    if (this.precision !== "mixed") {
      throw new UsageError(
        "UNet.castWeightsToF16: the precision is f32, which would lose digits; make it with mixed.",
      );
    }
    const blocks = this.modules().filter((module) => module instanceof ResidualBlock);
    // Layers that depend on the time step alone compute in f32.
    const ofTime = new Set([
      ...this.timeEmbedding.modules(),
      ...blocks.map(({ timeProjection }) => timeProjection),
    ]);
    for (const layer of this.modules()) {
      const weighted = layer instanceof Conv2d || layer instanceof Linear;
      if (weighted && !ofTime.has(layer)) layer.weight = await toF16(layer.weight);
    }
    return this;
  }

  #block(
    block: ResidualBlock | AttentionBlock,
    h: Tensor,
    time: Tensor,
    random: RandomStream | undefined,
  ): Tensor {
    const forward = (x: Tensor, t: Tensor, own = random): Tensor =>
      block instanceof ResidualBlock ? block.forward(x, t, own) : block.forward(x);
    if (!this.recompute || !this.training) return forward(h, time);
    // Both runs draw the same random numbers.
    const start = random?.fork();
    return recompute((x: Tensor, t: Tensor) => {
      const own = start?.fork();
      const result = forward(x, t, own);
      if (own) random?.join(own);
      return result;
    })(h, time);
  }

  #checkShapes(x: Tensor, t: TimeSteps): void {
    checkTensor("UNet", "x", x);
    checkTensor("UNet", "t", t);
    const halvings = this.up
      .flat()
      .filter((layer) => layer instanceof ResidualBlock && layer.resample).length;
    const [n, height = 1, width = 1] = x.shape;
    if (x.shape.length !== 4 || height % 2 ** halvings !== 0 || width % 2 ** halvings !== 0) {
      throw new ShapeError(
        `UNet: x must be [N, H, W, C] with H and W multiples of ${2 ** halvings}, but is [${x.shape.join(", ")}].`,
      );
    }
    if (t.shape.length !== 1 || t.shape[0] !== n) {
      throw new ShapeError(`UNet: t must be [${n}], one time step an image, but is [${t.shape.join(", ")}].`);
    }
  }
}

/** Makes blocks that share the network's options. */
class Blocks {
  readonly timeFeatures: number;
  readonly #plan: UNetPlan;
  readonly #random: HostRandom;

  constructor(plan: UNetPlan, random: HostRandom) {
    this.timeFeatures = 4 * plan.baseChannels;
    this.#plan = plan;
    this.#random = random;
  }

  residual(inputs: number, outputs: number, resample?: "down" | "up"): ResidualBlock {
    const { dropout } = this.#plan;
    const shared = { timeFeatures: this.timeFeatures, dropout, random: this.#random };
    return new ResidualBlock({ inputs, outputs, ...shared, ...(resample && { resample }) });
  }

  attention(channels: number): AttentionBlock {
    return new AttentionBlock({ channels, heads: this.#plan.heads, random: this.#random });
  }

  /** A residual block, and attention where this downsampling factor has it. */
  level(inputs: number, outputs: number, factor: number): (ResidualBlock | AttentionBlock)[] {
    const block = this.residual(inputs, outputs);
    return this.#plan.attentionFactors.has(factor) ? [block, this.attention(outputs)] : [block];
  }
}

/** The way down, and the channels that each of its stages hands over to the way up. */
function buildDown({ levels, blocksPerLevel }: UNetPlan, blocks: Blocks, first: Conv2d) {
  const stages: Stage[] = [[first]];
  let channels = levels[0]!;
  const skips = [channels];
  for (const [level, outputs] of levels.entries()) {
    for (let block = 0; block < blocksPerLevel; block++) {
      stages.push(blocks.level(channels, outputs, 2 ** level));
      channels = outputs;
      skips.push(channels);
    }
    if (level < levels.length - 1) {
      stages.push([blocks.residual(channels, channels, "down")]);
      skips.push(channels);
    }
  }
  return { stages, skips };
}

/** The way up: each stage takes over one stage of the way down; the last of a level also doubles the size. */
function buildUp({ levels, blocksPerLevel }: UNetPlan, blocks: Blocks, skips: number[]): Stage[] {
  const stages: Stage[] = [];
  let channels = levels.at(-1)!;
  for (const [level, outputs] of [...levels.entries()].reverse()) {
    for (let block = 0; block <= blocksPerLevel; block++) {
      const stage = blocks.level(channels + skips.pop()!, outputs, 2 ** level);
      channels = outputs;
      if (level > 0 && block === blocksPerLevel) stage.push(blocks.residual(channels, channels, "up"));
      stages.push(stage);
    }
  }
  return stages;
}
