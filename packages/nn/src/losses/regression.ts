/** Regression losses: elementwise, then reduced. */
import { cosineDistance, maximum, type Tensor, where } from "@ddad/tensor";
import { checkOptions, checkTensor } from "@ddad/tensor/internal";
import { checkNumbers } from "../arguments.ts";
import { checkPair, checkSameShape, type LossOptions, reduceLoss } from "./reduction.ts";

/** (prediction − target)², elementwise. */
export function squaredError(prediction: Tensor, target: Tensor): Tensor {
  checkPair("squaredError", prediction, target);
  return prediction.sub(target).square();
}

/** Squared error. Throws ShapeError where the shapes differ and neither has one element. */
export function mseLoss(prediction: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  checkOptions("mseLoss", options, ["reduction"]);
  checkSameShape("mseLoss", prediction, target);
  return reduceLoss("mseLoss", squaredError(prediction, target), options);
}

/** |prediction − target|. Throws ShapeError where the shapes differ and neither has one element. */
export function l1Loss(prediction: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  checkOptions("l1Loss", options, ["reduction"]);
  checkSameShape("l1Loss", prediction, target);
  return reduceLoss("l1Loss", prediction.sub(target).abs(), options);
}

/** Options of `huberLoss`. */
export interface HuberLossOptions extends LossOptions {
  /** Distance at which the parabola becomes a line; positive. Default 1. */
  readonly delta?: number;
}

/** d²/2 for |d| ≤ δ, else δ (|d| − δ/2), with d = prediction − target (Huber 1964). Throws as `mseLoss`. */
export function huberLoss(prediction: Tensor, target: Tensor, options: HuberLossOptions = {}): Tensor {
  const { delta = 1 } = checkOptions("huberLoss", options, ["delta", "reduction"]);
  checkNumbers("huberLoss", { delta });
  if (delta === 0) throw new RangeError(`huberLoss: delta must be positive, but is ${delta}.`);
  checkSameShape("huberLoss", prediction, target);
  const distance = prediction.sub(target).abs();
  const values = where(
    distance.lessEqual(delta),
    distance.square().mul(0.5),
    distance.sub(0.5 * delta).mul(delta),
  );
  return reduceLoss("huberLoss", values, options);
}

/** Options of `smoothL1Loss`. */
export interface SmoothL1LossOptions extends LossOptions {
  /** Distance at which the parabola becomes a line; 0 gives `l1Loss`. Default 1. */
  readonly beta?: number;
}

/** d²/(2β) for |d| < β, else |d| − β/2, with d = prediction − target: `huberLoss` divided by β. Throws as `mseLoss`. */
export function smoothL1Loss(prediction: Tensor, target: Tensor, options: SmoothL1LossOptions = {}): Tensor {
  const { beta = 1 } = checkOptions("smoothL1Loss", options, ["beta", "reduction"]);
  checkNumbers("smoothL1Loss", { beta });
  checkSameShape("smoothL1Loss", prediction, target);
  const distance = prediction.sub(target).abs();
  const values =
    beta === 0
      ? distance
      : where(distance.less(beta), distance.square().mul(0.5 / beta), distance.sub(0.5 * beta));
  return reduceLoss("smoothL1Loss", values, options);
}

/** Options of `cosineLoss`. */
export interface CosineLossOptions extends LossOptions {
  /** Lower bound of the product of the norms. Default 1e-8. */
  readonly epsilon?: number;
}

/** 1 − cos(prediction, target) along the last axis, reduced over the others. */
export function cosineLoss(prediction: Tensor, target: Tensor, options: CosineLossOptions = {}): Tensor {
  const { epsilon = 1e-8 } = checkOptions("cosineLoss", options, ["epsilon", "reduction"]);
  checkPair("cosineLoss", prediction, target);
  const distance = cosineDistance(prediction, target, { epsilon });
  return reduceLoss("cosineLoss", distance, options);
}

/** Options of `cosineSimilarity`. */
export interface CosineSimilarityOptions {
  /** Default −1. */
  readonly axis?: number;
  /** Lower bound of each norm. Default 1e-8. */
  readonly epsilon?: number;
}

/** cos(a, b) = Σ a b / (max(‖a‖, ε) max(‖b‖, ε)) along one axis, which is left out of the result. `a` and `b` broadcast. */
export function cosineSimilarity(a: Tensor, b: Tensor, options: CosineSimilarityOptions = {}): Tensor {
  const { axis = -1, epsilon = 1e-8 } = checkOptions("cosineSimilarity", options, ["axis", "epsilon"]);
  checkTensor("cosineSimilarity", "a", a);
  checkTensor("cosineSimilarity", "b", b);
  // The bound is on the squares: the derivative of a root at 0 would be infinite.
  const norm = (x: Tensor): Tensor => maximum(x.square().sum(axis), epsilon ** 2).sqrt();
  return a
    .mul(b)
    .sum(axis)
    .div(norm(a).mul(norm(b)));
}
