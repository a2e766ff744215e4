import { matmul as kernel } from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { reshape } from "./reshape.ts";
import { broadcastTo, sum, sumOfGradients } from "./sum.ts";

/** Options of `matmul`. */
export interface MatmulOptions {
  /** Read `a` as [..., K, M]. */
  readonly transposeA?: boolean;
  /** Read `b` as [..., N, K]. */
  readonly transposeB?: boolean;
  /** [N], added to every row. */
  readonly bias?: Tensor;
  /** Type of the result; default that of `a`. Sums are f32 either way. */
  readonly dtype?: "f32" | "f16";
}

/** Matrix product: a [..., M, K] · b [..., K, N] → [..., M, N]. `b` may be one matrix for all batches. */
export function matmul(
  a: Tensor,
  b: Tensor,
  { transposeA = false, transposeB = false, bias, dtype }: MatmulOptions = {},
): Tensor {
  const shared = b.shape.length === 2 && a.shape.length > 2;
  return record(
    kernel,
    { a, b, bias },
    { transposeA, transposeB, dtype },
    {
      a: ({ y: g }) => {
        if (!transposeA) return matmul(g, b, { transposeB: !transposeB });
        return matmul(shared ? repeatBatch(b, a) : b, g, { transposeA: transposeB, transposeB: true });
      },
      b: ({ y: g }) => {
        // One matrix for all batches collects from every row of every batch: too many to keep in halves.
        const dtype = "f32";
        const [left, right] = shared && !transposeA ? [rows(a), rows(g)] : [a, g];
        const each = transposeB
          ? matmul(right, left, { transposeA: true, transposeB: transposeA, dtype })
          : matmul(left, right, { transposeA: !transposeA, dtype });
        return each.shape.length > b.shape.length ? reshape(sum(each, batchAxes(each)), b.shape) : each;
      },
      bias: ({ y: g }) =>
        reshape(
          sumOfGradients(
            g,
            g.shape.slice(0, -1).map((_, axis) => axis),
          ),
          [-1],
        ),
    },
  ).y;
}

/** x [..., in] · weight [in, out] + bias [out]. */
export const linear = (x: Tensor, weight: Tensor, bias?: Tensor): Tensor => {
  const y = matmul(rows(x), weight, bias ? { bias } : {});
  return reshape(y, [...x.shape.slice(0, -1), weight.shape[1]!]);
};

/** [..., M, K] → [batch · M, K]. */
const rows = (x: Tensor): Tensor => (x.shape.length === 2 ? x : reshape(x, [-1, x.shape.at(-1)!]));
const batchAxes = (x: Tensor): number[] => x.shape.slice(0, -2).map((_, axis) => axis);

/** [R, C] → a's batch extents × [R, C]. */
function repeatBatch(b: Tensor, a: Tensor): Tensor {
  return broadcastTo(b, [...a.shape.slice(0, -2), ...b.shape]);
}
