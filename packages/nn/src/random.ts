/** Random tensors for what needs no counters of its own: each call draws anew from the generator that `setSeed` starts. */
import {
  concat,
  randomNormal,
  randomUniform,
  type Shape,
  type Tensor,
  tensor,
  Variable,
  zeros,
} from "@ddad/tensor";
import { checkShape, drawOnce, isTracing } from "@ddad/tensor/internal";
import { defaultRandom } from "./init.ts";

/**
 * Uniform numbers in [0, 1), f32. Each call draws anew, also each call of a function that is compiled; a function that `recompute` runs
 * again gets what it got at first.
 */
export const rand = (shape: Shape): Tensor => draw("rand", randomUniform, shape);

/** Standard normal numbers, f32; drawn as those of `rand`. */
export const randn = (shape: Shape): Tensor => draw("randn", randomNormal, shape);

function draw(op: string, distribution: (key: Tensor<"u32">, shape: Shape) => Tensor, shape: Shape): Tensor {
  checkShape(op, shape);
  const size = shape.reduce((product, extent) => product * extent, 1);
  if (size === 0) return zeros(shape);
  const key = drawOnce(() => (isTracing() ? compiledKey() : tensor(nextKey(), [1, 4], { dtype: "u32" })));
  return distribution(key, [1, size]).reshape(shape);
}

/** A key that is another one in each call of the compiled function: its last word counts them. */
function compiledKey(): Tensor<"u32"> {
  const uses = new Variable(tensor([0], [1, 1], { dtype: "u32" }));
  const key = concat([tensor(nextKey().slice(0, 3), [1, 3], { dtype: "u32" }), uses], 1);
  uses.assign(uses.add(1));
  return key;
}

const nextKey = (): number[] => defaultRandom().key();
