/** Optimiser steps in simple operations, for differentiating through a training step. */
import type { Tensor } from "../tensor.ts";
import { add, div, equal, mul, sqrt, square, sub, where } from "./elementwise.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";

type Inputs<N extends string> = Readonly<Record<N, Tensor>>;
type AdamInputs = Inputs<"parameter" | "gradient" | "firstMoment" | "secondMoment" | "control">;
type AdamOutputs = Record<"parameterNext" | "firstMomentNext" | "secondMomentNext", Tensor>;

/** Number `index` of a list, as a scalar. */
const at = (control: Tensor, index: number): Tensor => reshape(slice(control, [index], [index + 1]), []);

/** A step of Adam (`adamStep`); its `control` is described at `adamControl`. */
export const adamComposed =
  ({ decoupled }: { readonly decoupled: boolean }) =>
  ({ parameter, gradient, firstMoment, secondMoment, control }: AdamInputs): AdamOutputs => {
    const [stepSize, beta1, beta2, epsilon, decay, correction, scale] = [0, 1, 2, 3, 4, 5, 6].map((index) =>
      at(control, index),
    ) as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    const scaled = mul(gradient, scale);
    const g = decoupled ? scaled : add(scaled, mul(decay, parameter));
    const first = add(mul(beta1, firstMoment), mul(sub(1, beta1), g));
    const second = add(mul(beta2, secondMoment), mul(sub(1, beta2), square(g)));
    const kept = decoupled ? mul(parameter, sub(1, decay)) : parameter;
    const next = sub(kept, div(mul(stepSize, first), add(div(sqrt(second), correction), epsilon)));
    const isSkipped = equal(scale, 0);
    return {
      parameterNext: where(isSkipped, parameter, next),
      firstMomentNext: where(isSkipped, firstMoment, first),
      secondMomentNext: where(isSkipped, secondMoment, second),
    };
  };

/** A step of Adam with the EMA of the parameter (`adamEmaStep`). */
export const adamEmaComposed =
  (attrs: { readonly decoupled: boolean }) =>
  (inputs: AdamInputs & Inputs<"ema">): AdamOutputs & Record<"emaNext", Tensor> => {
    const step = adamComposed(attrs)(inputs);
    const { ema, control } = inputs;
    const decay = at(control, 7);
    const next = add(mul(decay, ema), mul(sub(1, decay), step.parameterNext));
    return { ...step, emaNext: where(equal(at(control, 6), 0), ema, next) };
  };

/** A step of gradient descent with momentum (`sgdStep`). */
export function sgdComposed({
  parameter,
  gradient,
  velocity,
  control,
}: Inputs<"parameter" | "gradient" | "velocity" | "control">): Record<
  "parameterNext" | "velocityNext",
  Tensor
> {
  const [learningRate, momentum, weightDecay, scale] = [0, 1, 2, 3].map((index) => at(control, index)) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const next = add(mul(momentum, velocity), add(mul(scale, gradient), mul(weightDecay, parameter)));
  const isSkipped = equal(scale, 0);
  return {
    parameterNext: where(isSkipped, parameter, sub(parameter, mul(learningRate, next))),
    velocityNext: where(isSkipped, velocity, next),
  };
}
