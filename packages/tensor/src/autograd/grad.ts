/** Gradients of a scalar towards tensors: what users call. `backpropagate` does the work. */
import { isFloat, ShapeError, sameShape, show } from "@ddad/kernels-wgsl";
import { checkTensor, checkTensors } from "../arguments.ts";
import { constant } from "../create.ts";
import { UsageError } from "../errors.ts";
import { broadcastTo } from "../ops/sum.ts";
import { checkOptions } from "../options.ts";
import { resolve, type Tensor } from "../tensor.ts";
import { backpropagate, derivativesEnd } from "./backpropagate.ts";

/** Options of `grad`. */
export interface GradOptions {
  /** Gradient of the result, where it is no scalar. Shape of `loss`. */
  readonly outputGradient?: Tensor;
  /** Give zeros for inputs that the loss does not depend on, or only where all derivatives are zero, instead of an error. */
  readonly allowUnused?: boolean;
}

/**
 * Gradients of `loss` (one element, unless `outputGradient` is given) towards each of `inputs`, in their order and shapes.
 * Only what leads from the inputs to the loss is differentiated. Throws where an input has no influence on the loss, and where an
 * operation on the way has no gradient.
 */
export function grad(loss: Tensor, inputs: readonly Tensor[], options: GradOptions = {}): Tensor[] {
  return gradientsOf(loss, inputs, options, false);
}

/**
 * The same with each input held independent: the influence of one through another does not count. Gradients of a
 * piece of a graph, which the rest of the graph passes on.
 */
export function partialGrad(loss: Tensor, inputs: readonly Tensor[], options: GradOptions = {}): Tensor[] {
  return gradientsOf(loss, inputs, options, true);
}

function gradientsOf(
  loss: Tensor,
  inputs: readonly Tensor[],
  options: GradOptions,
  partial: boolean,
): Tensor[] {
  checkTensor("grad", "the loss", loss);
  const { outputGradient, allowUnused = false } = checkOptions("grad", options, [
    "outputGradient",
    "allowUnused",
  ]);
  const root = resolve(loss);
  checkTensors("grad", inputs, "grad(loss, [a, b])");
  const wanted = inputs.map(resolve);
  check(loss, inputs, outputGradient);
  if (root.source.kind !== "node" && !wanted.includes(root)) {
    throw new UsageError(
      "grad: the loss is already evaluated and its graph is gone. Call grad before evaluate, or use valueAndGrad.",
    );
  }
  const ends = partial ? wanted : [];
  const gradients = backpropagate([[root, outputGradient ?? constant(1, loss.shape)]], wanted, ends);
  return wanted.map((input, index) => {
    const gradient = gradients.get(input);
    if (gradient) return broadcastTo(gradient, input.shape);
    if (allowUnused) return constant(0, input.shape);
    throw new UsageError(withoutInfluence(root, input, index, ends));
  });
}

function check(loss: Tensor, inputs: readonly Tensor[], outputGradient: Tensor | undefined): void {
  if (!isFloat(loss.dtype))
    throw new ShapeError(`grad: the loss is ${loss.dtype}, but only f32 and f16 have gradients.`);
  inputs.forEach(({ dtype, shape }, index) => {
    if (isFloat(dtype)) return;
    throw new ShapeError(
      `grad: input ${index} ${show(shape)} is ${dtype}, but only f32 and f16 have gradients. Leave it out, or cast it first.`,
    );
  });
  if (!outputGradient) {
    if (loss.size === 1) return;
    throw new ShapeError(
      `grad: the loss must have one element but is ${show(loss.shape)}; reduce it by sum or mean.`,
    );
  }
  if (!sameShape(outputGradient.shape, loss.shape)) {
    throw new ShapeError(
      `grad: outputGradient must have the shape of the loss ${show(loss.shape)} but is ${show(outputGradient.shape)}.`,
    );
  }
}

function withoutInfluence(root: Tensor, input: Tensor, index: number, ends: readonly Tensor[]): string {
  const which = `input ${index} ${show(input.shape)}`;
  const names = derivativesEnd(root, input, ends);
  if (names.length)
    return (
      `grad: the loss depends on ${which} only through ${names.join(" and ")}, which passes no gradient on. ` +
      "Leave it out, or pass allowUnused for zeros."
    );
  return (
    `grad: the loss does not depend on ${which} by recorded operations. Leave it out, pass allowUnused for zeros, or call grad ` +
    "before what lies between is evaluated or the variable assigned."
  );
}

/**
 * Turns `fn` into a function that also gives the gradients of its result towards its arguments (or towards
 * `parameters`, where they are given).
 */
export function valueAndGrad<A extends readonly Tensor[]>(
  fn: (...args: A) => Tensor,
  parameters?: readonly Tensor[],
): (...args: A) => { value: Tensor; gradients: Tensor[] } {
  return (...args) => {
    const value = fn(...args);
    return { value, gradients: grad(value, parameters ?? args) };
  };
}
