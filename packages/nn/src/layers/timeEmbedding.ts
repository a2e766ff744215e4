import { concat, maximum, minimum, type Tensor, tensor } from "@ddad/tensor";
import { checkOptions, checkTensor } from "@ddad/tensor/internal";
import { checkSizes } from "../arguments.ts";
import type { HostRandom } from "../hostRandom.ts";
import { Module } from "../module.ts";
import { Linear } from "./linear.ts";

/** Time steps [N], one an image: whole numbers, as floats or as i32. */
export type TimeSteps = Tensor | Tensor<"i32">;

/**
 * The sinusoids of a time step, [sin(t ω_k) | cos(t ω_k)] with ω_k = exp(−ln(10⁴) k / half), k = 0 … half − 1
 * (Vaswani et al., "Attention is all you need", 2017; in the order of the published DDAD).
 *
 * @param t [N], f32 or i32
 * @param channels an even number, twice `half`
 * @returns [N, channels]
 */
export function sinusoid(t: TimeSteps, channels: number): Tensor {
  checkTensor("sinusoid", "t", t);
  checkSizes("sinusoid", { channels });
  if (channels % 2 !== 0) throw new RangeError(`sinusoid: channels must be even, but are ${channels}.`);
  const half = channels / 2;
  const frequencies = Float32Array.from({ length: half }, (_, k) => Math.exp((-Math.log(1e4) * k) / half));
  const angles = t.cast("f32").reshape([t.size, 1]).mul(tensor(frequencies)); // [N, half]
  const remainder = withoutTurns(angles);
  return concat([sine(remainder), sine(remainder.add(Math.PI / 2))], 1);
}

/** x − 2πk in [−π, π]; 2π in two parts, of which k times the first is exact. */
function withoutTurns(x: Tensor): Tensor {
  const turns = x.mul(1 / (2 * Math.PI)).round();
  return x.sub(turns.mul(6.28125)).sub(turns.mul(2 * Math.PI - 6.28125));
}

/** sin(x) = x − x³/3! + … − x¹¹/11! */
const series = [1, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800];

/** sin of −π … 3π/2 to 2e-7. WGSL's own sin may be off by 2⁻¹¹ (SwiftShader's is by 2e-4). */
function sine(x: Tensor): Tensor {
  const folded = minimum(maximum(x, x.neg().sub(Math.PI)), x.neg().add(Math.PI)); // [−π/2, π/2]
  const squared = folded.square();
  let sum = squared.mul(series.at(-1)!).add(series.at(-2)!);
  for (const term of series.slice(0, -2).reverse()) sum = sum.mul(squared).add(term);
  return folded.mul(sum);
}

/** The time step as features: the sinusoids through linear, SiLU, linear. */
export class TimeEmbedding extends Module {
  override readonly torchNames = { linear1: "1", linear2: "3" };
  /** Sinusoids of a time step: half of them sines, half cosines. */
  readonly channels: number;
  /** From the sinusoids to the features. */
  readonly linear1: Linear;
  /** From the activated features to the output. */
  readonly linear2: Linear;

  /** `channels` sinusoids become `features` features. */
  constructor(
    channels: number,
    features: number,
    options: { readonly random?: HostRandom | undefined } = {},
  ) {
    super();
    checkOptions("TimeEmbedding", options, ["random"]);
    checkSizes("TimeEmbedding", { channels, features });
    this.channels = channels;
    this.linear1 = new Linear(channels, features, options);
    this.linear2 = new Linear(features, features, options);
  }

  /** t [N], f32 or i32 → [N, features] */
  forward(t: TimeSteps): Tensor {
    return this.linear2.forward(this.linear1.forward(sinusoid(t, this.channels)).silu());
  }
}
