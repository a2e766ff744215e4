/**
 * Optimiser steps, one parameter a call (those of contiguous variables run as one). They give the next values; assigning these
 * to variables updates in place.
 */
import {
  accumulate as accumulateKernel,
  adamEmaStep as adamEmaKernel,
  adamStep as adamKernel,
  sgdStep as sgdKernel,
  sumOfSquares as sumOfSquaresKernel,
} from "@ddad/kernels-wgsl";
import { constant } from "../create.ts";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { add, mul, square } from "./elementwise.ts";
import { adamComposed, adamEmaComposed, sgdComposed } from "./optimComposed.ts";
import { reshape } from "./reshape.ts";
import { sum } from "./sum.ts";

export { type AdamSettings, adamControl } from "@ddad/kernels-wgsl";

/** What a step of Adam reads: four tensors of one shape and the numbers of the step, all f32. */
export interface AdamInputs {
  /** What is trained. */
  readonly parameter: Tensor;
  /** Of the loss with respect to the parameter. */
  readonly gradient: Tensor;
  /** Moving average of the gradients. */
  readonly firstMoment: Tensor;
  /** Moving average of their squares. */
  readonly secondMoment: Tensor;
  /** Numbers of `adamControl`, f32 [8]: a tensor, because they change from step to step. */
  readonly control: Tensor;
}

type AdamOutputs = Record<"parameterNext" | "firstMomentNext" | "secondMomentNext", Tensor>;

/** One step of Adam (`decoupled: false`, weight decay added to the gradient) or AdamW, as PyTorch's. */
export const adamStep = (inputs: AdamInputs, attrs: { readonly decoupled: boolean }): AdamOutputs =>
  record(adamKernel, { ...inputs }, attrs, adamComposed(attrs));

/** The same with an exponential moving average of the parameter, updated in the same pass. */
export const adamEmaStep = (
  inputs: AdamInputs & { readonly ema: Tensor },
  attrs: { readonly decoupled: boolean },
): AdamOutputs & Record<"emaNext", Tensor> =>
  record(adamEmaKernel, { ...inputs }, attrs, adamEmaComposed(attrs));

/** What `sgdStep` reads: three tensors of one shape and the numbers of the step, all f32. */
export interface SgdInputs {
  /** What is trained. */
  readonly parameter: Tensor;
  /** Of the loss with respect to the parameter. */
  readonly gradient: Tensor;
  /** The gradients so far, added up; each step multiplies them by momentum. */
  readonly velocity: Tensor;
  /** learningRate, momentum, weightDecay, gradientScale, f32 [4]: a tensor, because they change from step to step. */
  readonly control: Tensor;
}

/** One step of gradient descent with momentum and weight decay, as PyTorch's SGD. */
export const sgdStep = (inputs: SgdInputs): Record<"parameterNext" | "velocityNext", Tensor> =>
  record(sgdKernel, { ...inputs }, {}, sgdComposed);

/** Σ x² over all elements of all tensors → [1]. */
export const sumOfSquares = (...tensors: readonly Tensor[]): Tensor =>
  tensors.reduce(
    (total, x) =>
      x.size
        ? record(
            sumOfSquaresKernel,
            { x, total },
            {},
            { x: ({ y: g }) => mul(mul(x, 2), reshape(g, [])), total: ({ y: g }) => g },
          ).y
        : add(total, reshape(sum(square(x)), [1])),
    constant(0, [1]),
  );

/** keep · total + x, in place where it is assigned to a variable `total`; x alone where keep, [1], is 0. */
export const accumulate = (total: Tensor, x: Tensor, keep: Tensor): Tensor =>
  record(
    accumulateKernel,
    { total, x, keep },
    {},
    {
      total: ({ totalNext: g }) => mul(g, reshape(keep, [])),
      x: ({ totalNext: g }) => g,
      keep: ({ totalNext: g }) => reshape(sum(mul(g, total)), [1]),
    },
  ).totalNext;
