/** Building blocks of optimisers without a kernel of their own. */
import { slice, type Tensor, where } from "@ddad/tensor";

/** The numbers of a control tensor as scalars, cut once a step. */
export class ControlNumbers {
  #control: Tensor | undefined;
  #numbers: readonly Tensor[] = [];

  /** The first `count` numbers, [] each. */
  of(control: Tensor, count: number): readonly Tensor[] {
    if (this.#control !== control) {
      this.#control = control;
      this.#numbers = Array.from({ length: count }, (_, k) => slice(control, [k], [k + 1]).reshape([]));
    }
    return this.#numbers;
  }
}

/** `next` where the step is taken, the old value where `scale`, the gradients' factor, is 0. */
export const unlessSkipped = (scale: Tensor, next: Tensor, old: Tensor): Tensor =>
  where(scale.equal(0), old, next);

/** scale · gradient + weightDecay · parameter */
export const decayedGradient = (
  gradient: Tensor,
  parameter: Tensor,
  scale: Tensor,
  weightDecay: Tensor,
): Tensor => gradient.mul(scale).add(parameter.mul(weightDecay));
