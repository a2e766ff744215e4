/** Losses of classification into one of C classes. Classes are the last axis; any axes may lead. */
import {
  type AnyTensor,
  arange,
  type IndexTensor,
  logSoftmax,
  ShapeError,
  Tensor,
  where,
} from "@ddad/tensor";
import { checkOptions, checkTensor, describeArgument } from "@ddad/tensor/internal";
import { checkReduction, type LossOptions, reduceLoss, shown } from "./reduction.ts";

/** Options of `nllLoss`. */
export interface NLLLossOptions extends LossOptions {
  /** Factor of the loss of each class, of shape [C]. The mean is weighted by it, too. */
  readonly weight?: Tensor;
  /** Targets of this value have no loss and are not counted. Default −100. */
  readonly ignoreIndex?: number;
}

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions extends NLLLossOptions {
  /** Fraction of the target's probability that is spread over all classes, in 0 … 1. Default 0. */
  readonly labelSmoothing?: number;
}

const indexOptions = ["weight", "ignoreIndex", "reduction"] as const;

/**
 * −log softmax(logits)[target], without overflow; f16 is computed in f32, and the loss is f32.
 *
 * @param logits [..., C]
 * @param target class indices [...] (i32 or u32), or probabilities [..., C] (floats). An index outside of 0 … C − 1 that is not
 * `ignoreIndex` gives NaN, because a shader cannot refuse it.
 * @returns a scalar, or [...] for the reduction "none". The mean over indices is weighted by `weight`, as PyTorch's; where all
 * targets are ignored it is NaN.
 * @throws ShapeError where the shapes do not fit
 */
export function crossEntropy(
  logits: Tensor,
  target: Tensor | IndexTensor,
  options: CrossEntropyOptions = {},
): Tensor {
  checkOptions("crossEntropy", options, [...indexOptions, "labelSmoothing"]);
  const { labelSmoothing = 0, weight, reduction = "mean" } = options;
  checkReduction("crossEntropy", reduction);
  if (!(Number.isFinite(labelSmoothing) && labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw new RangeError(
      `crossEntropy: labelSmoothing must be in 0 … 1, but is ${describeArgument(labelSmoothing)}.`,
    );
  }
  checkClasses("crossEntropy", logits, target, weight);
  if (isIndex(target)) {
    const logProbabilities = logSoftmax(logits.cast("f32"));
    return indexLoss("crossEntropy", logProbabilities, target, { ...options, labelSmoothing });
  }
  if (shown(target) !== shown(logits)) {
    throw new ShapeError(
      `crossEntropy: the target ${target.dtype} ${shown(target)} must be probabilities of the logits' shape ${shown(logits)}, ` +
        `or class indices i32 ${shown({ shape: logits.shape.slice(0, -1) })}: target.cast("i32").`,
    );
  }
  if (options.ignoreIndex !== undefined) {
    throw new RangeError(
      "crossEntropy: ignoreIndex is for class indices, but the target holds probabilities.",
    );
  }
  const classes = logits.shape.at(-1)!;
  const wanted = labelSmoothing > 0 ? target.mul(1 - labelSmoothing).add(labelSmoothing / classes) : target;
  const products = logSoftmax(logits.cast("f32")).mul(weight ? wanted.mul(weight) : wanted);
  return reduceLoss("crossEntropy", products.sum(-1).neg(), { reduction });
}

/**
 * −logProbabilities[target]: `crossEntropy` behind a `logSoftmax`.
 *
 * @param logProbabilities [..., C]
 * @param target class indices [...], i32 or u32, as those of `crossEntropy`
 * @throws ShapeError where the shapes do not fit
 */
export function nllLoss(logProbabilities: Tensor, target: IndexTensor, options: NLLLossOptions = {}): Tensor {
  checkOptions("nllLoss", options, indexOptions);
  checkReduction("nllLoss", options.reduction ?? "mean");
  checkClasses("nllLoss", logProbabilities, target, options.weight);
  if (!isIndex(target)) {
    throw new ShapeError(
      `nllLoss: the target must be class indices, i32 or u32, but is ${(target as AnyTensor).dtype}.`,
    );
  }
  return indexLoss("nllLoss", logProbabilities.cast("f32"), target, options);
}

function indexLoss(
  op: string,
  logProbabilities: Tensor,
  indices: IndexTensor,
  options: CrossEntropyOptions,
): Tensor {
  const target = indices as Tensor<"i32">; // the same operations as on u32
  const { weight, ignoreIndex = -100, labelSmoothing = 0, reduction = "mean" } = options;
  const [classes, leading] = [logProbabilities.shape.at(-1)!, logProbabilities.shape.slice(0, -1)];
  if (shown(target) !== shown({ shape: leading })) {
    throw new ShapeError(
      `${op}: the target ${shown(target)} must have the shape ${shown({ shape: leading })} of ${shown(logProbabilities)} ` +
        "without its last axis, the classes.",
    );
  }
  const chosen = arange(classes, { dtype: target.dtype }).equal(target.reshape([...leading, 1])); // [..., C]
  const pick = (values: Tensor): Tensor => where(chosen, values, 0).sum(-1);
  const counted = ignores(target, ignoreIndex) ? target.notEqual(ignoreIndex) : undefined;
  const inside = target.greaterEqual(0).logicalAnd(target.less(classes));
  const known = counted ? inside.logicalOr(counted.logicalNot()) : inside;
  const factor = weight ? pick(weight.reshape([...leading.map(() => 1), classes])) : undefined;
  const only = (values: Tensor): Tensor => (counted ? where(counted, values, 0) : values);

  const picked = pick(logProbabilities).neg();
  const exact = only(where(known, factor ? picked.mul(factor) : picked, Number.NaN)); // [...]
  let losses = exact;
  if (labelSmoothing > 0) {
    const all = weight ? logProbabilities.mul(weight) : logProbabilities;
    const spread = only(all.sum(-1).neg());
    losses = exact.mul(1 - labelSmoothing).add(spread.mul(labelSmoothing / classes));
  }
  if (reduction === "none") return losses;
  if (reduction === "sum") return losses.sum();
  if (!factor && !counted) return losses.mean();
  const total = factor ? only(factor).sum() : counted!.cast("f32").sum();
  return losses.sum().div(total);
}

const isIndex = (target: AnyTensor): target is IndexTensor =>
  target.dtype === "i32" || target.dtype === "u32";

/** Whether a target of this type can have the value at all. */
const ignores = ({ dtype }: AnyTensor, value: number): boolean => dtype === "i32" || value >= 0;

function checkClasses(op: string, scores: Tensor, target: AnyTensor, weight: Tensor | undefined): void {
  checkTensor(op, "the scores", scores);
  if (weight) checkTensor(op, "weight", weight);
  if (!(target instanceof Tensor)) {
    throw new ShapeError(
      `${op}: the target must be a Tensor but is ${describeArgument(target)}; ` +
        'make one of class indices with tensor([0], { dtype: "i32" }).',
    );
  }
  const classes = scores.shape.at(-1);
  if (!classes) {
    throw new ShapeError(`${op}: needs classes along the last axis, but the scores are ${shown(scores)}.`);
  }
  if (weight && shown(weight) !== `[${classes}]`) {
    throw new ShapeError(`${op}: weight must be [${classes}], one for each class, but is ${shown(weight)}.`);
  }
}
