/** How far a prediction is from its target: elementwise, then reduced to one number. */
import { cosineDistance, type Tensor } from "@ddad/tensor";

/** How the elements' losses become one. */
export type Reduction = "mean" | "sum";

/** Options of the losses. */
export interface LossOptions {
  /** Default "mean". */
  readonly reduction?: Reduction;
}

const reduce = (x: Tensor, { reduction = "mean" }: LossOptions): Tensor =>
  reduction === "mean" ? x.mean() : x.sum();

/** (prediction − target)², elementwise. */
export const squaredError = (prediction: Tensor, target: Tensor): Tensor => prediction.sub(target).square();

/** Squared error, reduced to a scalar. */
export const mseLoss = (prediction: Tensor, target: Tensor, options: LossOptions = {}): Tensor =>
  reduce(squaredError(prediction, target), options);

/** |prediction − target|, reduced to a scalar. */
export const l1Loss = (prediction: Tensor, target: Tensor, options: LossOptions = {}): Tensor =>
  reduce(prediction.sub(target).abs(), options);

/** Options of `cosineLoss`. */
export interface CosineLossOptions extends LossOptions {
  /** Lower bound of the product of the norms. Default that of `cosineDistance`. */
  readonly epsilon?: number;
}

/** 1 − cos(prediction, target) along the last axis, reduced over the others to a scalar. */
export const cosineLoss = (prediction: Tensor, target: Tensor, options: CosineLossOptions = {}): Tensor => {
  const { epsilon } = options;
  return reduce(cosineDistance(prediction, target, epsilon === undefined ? {} : { epsilon }), options);
};
