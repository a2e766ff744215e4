/** Common parts of the losses: the reduction and checks of shapes. */
import { ShapeError, type Tensor } from "@ddad/tensor";
import { checkTensor } from "@ddad/tensor/internal";

/** Reduction of the elements' losses: mean, sum or none. */
export type Reduction = "mean" | "sum" | "none";

/** Options of the losses. */
export interface LossOptions {
  /** Default "mean". */
  readonly reduction?: Reduction;
}

/** The mean or the sum of all elements, or `x` itself. Throws RangeError for another reduction. */
export function reduceLoss(op: string, x: Tensor, { reduction = "mean" }: LossOptions): Tensor {
  checkReduction(op, reduction);
  if (reduction === "none") return x;
  return reduction === "mean" ? x.mean() : x.sum();
}

/** Throws RangeError for an unknown reduction. */
export function checkReduction(
  op: string,
  reduction: string,
  known: readonly string[] = ["mean", "sum", "none"],
): void {
  if (!known.includes(reduction)) {
    throw new RangeError(`${op}: there is no reduction ${String(reduction)}. Use ${known.join(", ")}.`);
  }
}

/**
 * Throws ShapeError unless both have one shape, or one of them has one element. [N] against [N, 1] would broadcast to [N, N], which no
 * loss means.
 */
export function checkSameShape(op: string, prediction: Tensor, target: Tensor): void {
  checkPair(op, prediction, target);
  if (prediction.size !== 1 && target.size !== 1) checkEqualShape(op, prediction, target);
}

/** Throws ShapeError unless both have one shape. */
export function checkEqualShape(op: string, prediction: Tensor, target: Tensor): void {
  checkPair(op, prediction, target);
  if (shown(prediction) === shown(target)) return;
  throw new ShapeError(
    `${op}: the prediction is ${shown(prediction)} but the target is ${shown(target)}. Reshape one of them.`,
  );
}

/** Throws ShapeError unless both are tensors. */
export function checkPair(op: string, prediction: unknown, target: unknown): void {
  checkTensor(op, "the prediction", prediction);
  checkTensor(op, "the target", target);
}

/** The shape as messages show it. */
export const shown = ({ shape }: { readonly shape: readonly number[] }): string => `[${shape.join(", ")}]`;
