import { softmax as kernel, softmaxGradient } from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";

/** exp(x) / Σ exp(x) along the last axis. */
export function softmax(x: Tensor): Tensor {
  const out: Record<"y", Tensor> = record(
    kernel,
    { x },
    {},
    { x: ({ y: gradient }) => record(softmaxGradient, { y: out.y, gradient }, {}).xGradient },
  );
  return out.y;
}
