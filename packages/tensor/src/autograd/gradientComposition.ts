/** Second derivatives of fused operations: what the kernel of a gradient computes, in simple operations. */
import { constant } from "../create.ts";
import { broadcastTo } from "../ops/sum.ts";
import type { Composition } from "../record.ts";
import { resolve, type Tensor } from "../tensor.ts";
import { backpropagate } from "./backpropagate.ts";

/**
 * The {@link Composition} of the kernel that computes the gradients of an operation. `forward` is that operation in simple ones, of
 * the inputs `names`. The kernel has these inputs, too, and `gradient`, that of the operation's result; its outputs are
 * `xGradient` for an input `x`. What else it reads (statistics that forward has kept) follows from them and is left alone.
 */
export const gradientComposition =
  <I extends string>(
    names: readonly I[],
    forward: (inputs: Readonly<Record<I, Tensor>>) => Tensor,
  ): Composition<I | "gradient", `${I}Gradient`> =>
  (given) => {
    const inputs = Object.fromEntries(names.map((name) => [name, given[name]])) as Record<I, Tensor>;
    const tensors = Object.values<Tensor>(inputs);
    const found = backpropagate([[resolve(forward(inputs)), given.gradient]], tensors, tensors);
    const gradients = names.map((name) => {
      const gradient = found.get(inputs[name]);
      const { shape } = inputs[name];
      return [`${name}Gradient`, gradient ? broadcastTo(gradient, shape) : constant(0, shape)];
    });
    return Object.fromEntries(gradients) as Record<`${I}Gradient`, Tensor>;
  };
