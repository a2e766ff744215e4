import { matmul as kernel, type Shape, ShapeError, show, sizeOf } from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { reshape, unsqueeze } from "./reshape.ts";
import { sumOfGradients } from "./sum.ts";

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

const known = ["transposeA", "transposeB", "bias", "dtype"] as const;

/**
 * Matrix product: a [..., M, K] · b [..., K, N] → [..., M, N], where the axes in front are broadcast by NumPy's rules. A vector [K] is
 * a row at the left, a column at the right, and its axis of one is dropped from the result.
 *
 * @throws ShapeError where extents or types do not fit, and where a vector shall be transposed
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  checkTensor("matmul", "a", a);
  checkTensor("matmul", "b", b);
  const { transposeA = false, transposeB = false } = checkOptions("matmul", options, known);
  for (const [name, { shape }, transposed] of [
    ["a", a, transposeA],
    ["b", b, transposeB],
  ] as const) {
    if (shape.length === 0 || (shape.length === 1 && transposed)) {
      const cure = shape.length ? "a vector has no transpose; leave that out" : "use mul";
      throw new ShapeError(`matmul: ${name} is ${show(shape)}, but ${cure}.`);
    }
  }
  if (a.shape.length > 1 && b.shape.length > 1) return product(a, b, options);
  const y = product(
    a.shape.length === 1 ? unsqueeze(a, 0) : a,
    b.shape.length === 1 ? unsqueeze(b, 1) : b,
    options,
  );
  const batch = y.shape.slice(0, -2);
  return reshape(y, [
    ...batch,
    ...(a.shape.length > 1 ? [y.shape.at(-2)!] : []),
    ...(b.shape.length > 1 ? [y.shape.at(-1)!] : []),
  ]);
}

function product(
  a: Tensor,
  b: Tensor,
  { transposeA = false, transposeB = false, bias, dtype }: MatmulOptions,
): Tensor {
  return record(
    kernel,
    { a, b, bias },
    { transposeA, transposeB, dtype },
    {
      a: ({ y: g }) => {
        const options = typeOfSum(g.shape, a.shape);
        const each = transposeA
          ? product(b, g, { transposeA: transposeB, transposeB: true, ...options })
          : product(g, b, { transposeB: !transposeB, ...options });
        return sumTo(each, a.shape);
      },
      b: ({ y: g }) => {
        // One matrix for all batches sums over every row of every batch: too many terms for f16.
        const dtype = "f32";
        const shared = sizeOf(b.shape.slice(0, -2)) === 1 && !transposeA;
        const [left, right] = shared ? [rows(a), rows(g)] : [a, g];
        const each = transposeB
          ? product(right, left, { transposeA: true, transposeB: transposeA, dtype })
          : product(left, right, { transposeA: !transposeA, dtype });
        return sumTo(each, b.shape);
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

/** f16 is too coarse for what is summed over batches afterwards. */
const typeOfSum = (from: Shape, to: Shape): Pick<MatmulOptions, "dtype"> =>
  sizeOf(from.slice(0, -2)) === sizeOf(to.slice(0, -2)) ? {} : { dtype: "f32" };

/** The gradient of broadcasting batch axes: sums over those along which an operand of `shape` was repeated. */
function sumTo(each: Tensor, shape: Shape): Tensor {
  const lead = each.shape.length - shape.length;
  const repeated = each.shape
    .map((_, axis) => axis)
    .filter((axis) => axis < lead || (shape[axis - lead] === 1 && each.shape[axis] !== 1));
  return reshape(repeated.length ? sumOfGradients(each, repeated) : each, shape);
}

/** x [..., in] · weight [in, out] + bias [out]. */
export const linear = (x: Tensor, weight: Tensor, bias?: Tensor): Tensor => {
  checkTensor("linear", "x", x);
  checkTensor("linear", "weight", weight);
  if (x.shape.length === 0 || weight.shape.length !== 2 || x.shape.at(-1) !== weight.shape[0]) {
    throw new ShapeError(
      `linear: x ${show(x.shape)} must be […, in] and weight ${show(weight.shape)} [in, out] with one extent in.`,
    );
  }
  const y = product(rows(x), weight, bias ? { bias } : {});
  return reshape(y, [...x.shape.slice(0, -1), weight.shape[1]!]);
};

/** [..., M, K] → [batch · M, K]. */
const rows = (x: Tensor): Tensor =>
  x.shape.length === 2 ? x : reshape(x, [sizeOf(x.shape.slice(0, -1)), x.shape.at(-1)!]);
