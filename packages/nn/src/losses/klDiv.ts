import { type Tensor, where } from "@ddad/tensor";
import { checkOptions } from "@ddad/tensor/internal";
import { checkReduction, checkSameShape, type Reduction, reduceLoss } from "./reduction.ts";

/** Options of `klDiv`. */
export interface KLDivOptions {
  /** Default "mean", over all elements; "batchMean" is the sum divided by the first extent, which is the divergence itself. */
  readonly reduction?: Reduction | "batchMean";
  /** Whether the target holds logarithms of probabilities, too. Default false. */
  readonly logTarget?: boolean;
}

/**
 * Kullback–Leibler divergence, elementwise t (log t − prediction).
 *
 * @param prediction logarithms of probabilities, as `logSoftmax` gives them
 * @param target probabilities of the same shape; where one is 0, its element is 0
 * @throws ShapeError where the shapes differ
 */
export function klDiv(prediction: Tensor, target: Tensor, options: KLDivOptions = {}): Tensor {
  const { reduction = "mean", logTarget = false } = checkOptions("klDiv", options, [
    "reduction",
    "logTarget",
  ]);
  checkReduction("klDiv", reduction, ["mean", "batchMean", "sum", "none"]);
  checkSameShape("klDiv", prediction, target);
  const values = logTarget
    ? target.exp().mul(target.sub(prediction))
    : entropyTerm(target).sub(target.mul(prediction));
  if (reduction !== "batchMean") return reduceLoss("klDiv", values, { reduction });
  return values.sum().mul(1 / (values.shape[0] ?? 1));
}

/** t log t, 0 at t = 0. */
function entropyTerm(target: Tensor): Tensor {
  const positive = target.greater(0);
  const logarithm = where(positive, target, 1).log(); // no infinite derivative of the side that is not taken
  return where(target.equal(0), 0, where(positive, target.mul(logarithm), target.log()));
}
