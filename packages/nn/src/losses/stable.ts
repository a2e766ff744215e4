/** Functions that lose no digits where their formulas would. */
import { max, maximum, recordView, type Tensor } from "@ddad/tensor";

/** x − log Σ exp(x) along the last axis. */
export function logSoftmaxLast(x: Tensor): Tensor {
  const shifted = x.sub(max(x, -1, { keepDims: true }));
  const y = shifted.sub(shifted.exp().sum(-1, { keepDims: true }).log());
  return recordView(
    "logSoftmax",
    y,
    y.shape,
    { x: ({ y: g }) => g!.sub(y.exp().mul(g!.sum(-1, { keepDims: true }))) },
    { x },
  );
}

/** log(1 + exp(x)) */
export function softplus(x: Tensor): Tensor {
  const y = maximum(x, 0).add(x.abs().neg().exp().add(1).log());
  return recordView("softplus", y, y.shape, { x: ({ y: g }) => g!.mul(x.sigmoid()) }, { x });
}
