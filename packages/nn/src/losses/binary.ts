/** Cross entropy of two classes: one probability, or one logit, for each decision. */
import { maximum, softplus, type Tensor } from "@ddad/tensor";
import { checkOptions, checkTensor, recordView } from "@ddad/tensor/internal";
import { checkEqualShape, type LossOptions, reduceLoss } from "./reduction.ts";

/** Options of `bce`. */
export interface BinaryLossOptions extends LossOptions {
  /** Factor of each element's loss; broadcasts to the prediction. */
  readonly weight?: Tensor;
}

/** Options of `bceWithLogits`. */
export interface LogitsLossOptions extends BinaryLossOptions {
  /** Factor of the loss of positive targets; broadcasts to the logits. Above 1 it favours recall, below 1 precision. */
  readonly posWeight?: Tensor;
}

/** PyTorch's least logarithm, where a probability is 0. */
const leastLog = -100;

/**
 * −t log p − (1 − t) log(1 − p) of probabilities, as PyTorch's binary_cross_entropy: logarithms are at least −100. Logits are better
 * served by `bceWithLogits`, which loses no digits.
 *
 * @param probability in 0 … 1
 * @param target in 0 … 1, of the same shape
 */
export function bce(probability: Tensor, target: Tensor, options: BinaryLossOptions = {}): Tensor {
  checkEqualShape("bce", probability, target);
  const { weight } = checkOptions("bce", options, ["reduction", "weight"]);
  if (weight) checkTensor("bce", "weight", weight);
  const log = (x: Tensor): Tensor => maximum(x.log(), leastLog);
  const [logP, logQ] = [log(probability), log(probability.neg().add(1))];
  const y = target.mul(logP).add(target.neg().add(1).mul(logQ)).neg();
  // The derivative of the formula is infinite at 0 and 1; PyTorch's is bounded.
  const spread = (): Tensor => maximum(probability.mul(probability.neg().add(1)), 1e-12);
  const values = recordView(
    "bce",
    y,
    y.shape,
    {
      probability: ({ y: g }) => g!.mul(probability.sub(target)).div(spread()),
      target: ({ y: g }) => g!.mul(logQ.sub(logP)),
    },
    { probability, target },
  );
  return reduceLoss("bce", weight ? values.mul(weight) : values, options);
}

/**
 * `bce` of sigmoid(logits), computed from the logits: −posWeight t log σ(x) − (1 − t) log(1 − σ(x)).
 *
 * @param target in 0 … 1, of the logits' shape
 */
export function bceWithLogits(logits: Tensor, target: Tensor, options: LogitsLossOptions = {}): Tensor {
  checkEqualShape("bceWithLogits", logits, target);
  checkOptions("bceWithLogits", options, ["reduction", "weight", "posWeight"]);
  const { weight, posWeight } = options;
  if (weight) checkTensor("bceWithLogits", "weight", weight);
  if (posWeight) checkTensor("bceWithLogits", "posWeight", posWeight);
  const minusLogSigmoid = softplus(logits.neg());
  const factor = posWeight ? target.mul(posWeight.sub(1)).add(1) : undefined;
  const values = logits.mul(target.neg().add(1)).add(factor ? minusLogSigmoid.mul(factor) : minusLogSigmoid);
  return reduceLoss("bceWithLogits", weight ? values.mul(weight) : values, options);
}
