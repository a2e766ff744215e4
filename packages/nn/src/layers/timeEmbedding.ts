import { concat, type Tensor, tensor } from "@ddad/tensor";
import type { HostRandom } from "../hostRandom.ts";
import { Module } from "../module.ts";
import { Linear } from "./linear.ts";

/**
 * The sinusoids of a time step, [sin(t ω_k) | cos(t ω_k)] with ω_k = exp(−ln(10⁴) k / half), k = 0 … half − 1
 * (Vaswani et al., "Attention is all you need", 2017; in the order of the published DDAD).
 *
 * @param t [N], f32 or i32
 * @param channels an even number, twice `half`
 * @returns [N, channels]
 */
export function sinusoid(t: Tensor, channels: number): Tensor {
  if (channels % 2 !== 0) throw new RangeError(`sinusoid: channels must be even, but are ${channels}.`);
  const half = channels / 2;
  const frequencies = Float32Array.from({ length: half }, (_, k) => Math.exp((-Math.log(1e4) * k) / half));
  const angles = t.cast("f32").reshape([t.size, 1]).mul(tensor(frequencies)); // [N, half]
  return concat([angles.sin(), angles.cos()], 1);
}

/** The time step as features: the sinusoids through linear, SiLU, linear. */
export class TimeEmbedding extends Module {
  override readonly torchNames = { linear1: "1", linear2: "3" };
  readonly channels: number;
  readonly linear1: Linear;
  readonly linear2: Linear;

  /** `channels` sinusoids become `features` features. */
  constructor(
    channels: number,
    features: number,
    options: { readonly random?: HostRandom | undefined } = {},
  ) {
    super();
    this.channels = channels;
    this.linear1 = new Linear(channels, features, options);
    this.linear2 = new Linear(features, features, options);
  }

  /** t [N], f32 or i32 → [N, features] */
  forward(t: Tensor): Tensor {
    return this.linear2.forward(this.linear1.forward(sinusoid(t, this.channels)).silu());
  }
}
