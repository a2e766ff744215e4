/** Places of their own along one axis, read and written: each is the other's gradient, so they stand together. */
import {
  type DType,
  type Float,
  type ScatterReduce,
  type Shape,
  sameShape,
  scatter as scatterKernel,
  takeAlong as takeAlongKernel,
} from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { normaliseAxis } from "./axes.ts";
import { cast, div, equal, logicalAnd, mul, where } from "./elementwise.ts";
import type { IndexTensor } from "./gather.ts";
import { broadcastTo } from "./sum.ts";

/**
 * Elements by a place of their own along `axis`, as torch.gather and NumPy's take_along_axis: for axis 1
 * `y[i, j, k] = x[i, index[i, j, k], k]`. The index (i32 or u32) has as many axes as x and is nowhere larger but along `axis`; the
 * result has its shape. Negative indices count from the end; one outside of −R … R − 1 gives zero.
 */
export function takeAlong<D extends DType = Float>(
  x: Tensor<D>,
  index: IndexTensor,
  axis: number,
): Tensor<D> {
  checkTensor("takeAlong", "index", index);
  return take(x, index, normaliseAxis("takeAlong", x, axis), false);
}

/** @param last zeros but for what `scatter` has kept: the last of those that name one place */
function take<D extends DType>(x: Tensor<D>, index: IndexTensor, axis: number, last: boolean): Tensor<D> {
  const back = { axis, reduce: last ? "set" : "add", shape: x.shape } as const;
  const out: Record<"y", Tensor<D>> = record(
    takeAlongKernel,
    { x, index },
    { axis, last },
    { x: ({ y: g }) => put({ index, source: g }, back) },
  );
  return out.y;
}

/** Options of `scatter`. */
export interface ScatterOptions {
  /** What becomes of x and of all elements for one place. Default: the last of them replaces what is there. */
  readonly reduce?: "add" | "mul" | "max" | "min";
}

/**
 * A copy of `x` with the elements of `source` written to places of their own along `axis`, as torch.scatter: for axis 1
 * `y[i, index[i, j, k], k] = source[i, j, k]`. Where indices repeat, the last one along the axis is kept; with `reduce` all of them
 * and x are added (in their order), multiplied, or the largest or smallest is kept (ties share the gradient). `source` is broadcast to
 * the index. Negative indices count from the end; those outside of −R … R − 1 are left out.
 */
export function scatter<D extends DType = Float>(
  x: Tensor<D>,
  index: IndexTensor,
  source: Tensor<D>,
  axis: number,
  options: ScatterOptions = {},
): Tensor<D> {
  const { reduce } = checkOptions("scatter", options, ["reduce"]);
  checkTensor("scatter", "index", index);
  checkTensor("scatter", "source", source);
  const along = normaliseAxis("scatter", x, axis);
  const full = sameShape(source.shape, index.shape) ? source : broadcastTo(source, index.shape);
  return put({ x, index, source: full }, { axis: along, reduce: reduce ?? "set" });
}

interface Operands<D extends DType> {
  /** Absent: zeros. */
  readonly x?: Tensor<D>;
  readonly index: IndexTensor;
  /** Absent: zeros. */
  readonly source?: Tensor<D>;
}

interface Attrs {
  readonly axis: number;
  readonly reduce: ScatterReduce;
  readonly shape?: Shape;
}

function put<D extends DType>(operands: Operands<D>, attrs: Attrs): Tensor<D> {
  const { index } = operands;
  const { axis, reduce } = attrs;
  const [x, source] = [operands.x, operands.source] as unknown as [Tensor | undefined, Tensor | undefined];
  const out: Record<"y", Tensor<D>> = record(scatterKernel, operands, attrs, {
    x: ({ y: g }) => {
      if (reduce === "add") return g;
      if (reduce === "set") return put({ x: g, index }, { axis, reduce });
      if (reduce === "mul") return put({ x: g, index, source: source! }, { axis, reduce });
      return where(equal(x!, y()), shared(g), 0);
    },
    source: ({ y: g }) => {
      if (reduce === "add") return take(g, index, axis, false);
      if (reduce === "set") return take(g, index, axis, true);
      if (reduce === "mul") return factorGradient(g);
      return where(equal(source!, take(y(), index, axis, false)), take(shared(g), index, axis, false), 0);
    },
  });
  const y = (): Tensor => out.y as unknown as Tensor;

  /** The gradient of the largest or smallest, divided by the number of those that are equal to it. */
  const shared = (g: Tensor): Tensor => {
    const ties = cast(equal(source!, take(y(), index, axis, false)), "f32");
    const count = put({ x: cast(equal(x!, y()), "f32"), index, source: ties }, { axis, reduce: "add" });
    return div(g, count);
  };

  /** The product of the other factors is the whole divided by this one; where it is zero, it must be made without it. */
  const factorGradient = (g: Tensor): Tensor => {
    const zero = equal(source!, 0);
    const zeros = put({ index, source: cast(zero, "f32") }, { axis, reduce: "add", shape: x!.shape });
    const alone = logicalAnd(zero, equal(take(zeros, index, axis, false), 1));
    const others = put({ x: x!, index, source: where(zero, 1, source!) }, { axis, reduce });
    const whole = div(take(mul(g, y()), index, axis, false), where(zero, 1, source!));
    return where(alone, take(mul(g, others), index, axis, false), where(zero, 0, whole));
  };
  return out.y;
}
