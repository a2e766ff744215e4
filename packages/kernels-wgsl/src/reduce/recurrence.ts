/** A linear recurrence along an axis, used by the gradients of running products. */
import { check } from "../errors.ts";
import { type Case, defineKernel, grid, perThread } from "../kernel.ts";
import { bytesOf, ceilDiv, sameShape, show, sizeOf, spec } from "../spec.ts";
import { type AxisAttrs, lineBase, lineParams, lineStart, lineStride, linesOf } from "./lines.ts";

/**
 * Which value of the recurrence tₛ = xₛ + wₛ · tₛ₋₁ an element gets: its own, tₛ; the one before, tₛ₋₁; or xₛ + wₛ₋₁ · yₛ₋₁, whose weights
 * come one step late.
 */
export type RecurrenceKind = "own" | "before" | "delayed";

/** Attributes of `recurrence`. */
export interface RecurrenceAttrs extends AxisAttrs {
  /** Which value of the recurrence is stored. */
  readonly kind: RecurrenceKind;
  /** From the end of the line towards its start. */
  readonly reverse: boolean;
}

const threads = 64;

/** WGSL of a step, in which `carried` is what the step before leaves. */
const steps: Readonly<Record<RecurrenceKind, string>> = {
  own: "carried = x[at] + weight[at] * carried; y[at] = carried;",
  before: "let own = x[at] + weight[at] * carried; y[at] = carried; carried = own;",
  delayed: "let own = x[at] + carried; y[at] = own; carried = weight[at] * own;",
};

const cases: Case<"x" | "weight", RecurrenceAttrs>[] = (["own", "before", "delayed"] as const).flatMap(
  (kind) =>
    [false, true].flatMap((reverse) =>
      (
        [
          [[1], 0],
          [[5, 37], 1],
          [[2, 37, 3], 1],
          [[3, 0], 1],
        ] as const
      ).map(([shape, axis]) => ({
        name: `${kind}, ${reverse ? "reversed" : "forwards"}, ${show(shape)} along ${axis}`,
        inputs: { x: shape, weight: shape },
        attrs: { axis, kind, reverse },
      })),
    ),
);

/**
 * tₛ = xₛ + wₛ · tₛ₋₁ along an axis, from zero: see {@link RecurrenceKind} for what y is. Inputs x and weight, f32 and of one shape; output y
 * of that shape.
 */
export const recurrence = defineKernel({
  name: "recurrence",
  inputs: ["x", "weight"],
  outputs: ["y"],
  params: lineParams,
  infer({ x, weight }, { axis }: RecurrenceAttrs) {
    for (const [name, { dtype }] of Object.entries({ x, weight }))
      check(dtype === "f32", "recurrence", () => `${name} must be f32 but is ${dtype}; cast it first.`);
    check(
      sameShape(x.shape, weight.shape),
      "recurrence",
      () => `weight must have the shape of x ${show(x.shape)} but is ${show(weight.shape)}.`,
    );
    return { outputs: { y: spec(x.shape) }, params: linesOf("recurrence", x.shape, axis) };
  },
  variants: [
    {
      name: "row per thread",
      passes: (_caps, { attrs: { kind, reverse }, params }) => [
        {
          read: { x: "f32", weight: "f32" },
          write: { y: "f32" },
          workgroups: grid(ceilDiv(params.rows, threads)),
          code: perThread(
            threads,
            /* wgsl */ `
  if (i >= params.rows) { return; }
  let start = ${lineStart("i", params)};
  var carried = 0.0;
  for (var step = 0u; step < params.columns; step++) {
    let at = start + ${reverse ? "(params.columns - 1u - step)" : "step"} * ${lineStride(params)};
    ${steps[kind]}
  }`,
          ),
        },
      ],
    },
  ],
  reference({ x, weight }, { attrs: { kind, reverse }, params }) {
    const y = new Float64Array(x.length);
    for (let row = 0; row < params.rows; row++) {
      let before = 0;
      let weightBefore = 0;
      for (let step = 0; step < params.columns; step++) {
        const place = reverse ? params.columns - 1 - step : step;
        const at = lineBase(row, params) + place * params.inner;
        const own = x[at]! + (kind === "delayed" ? weightBefore : weight[at]!) * before;
        y[at] = kind === "before" ? before : own;
        before = own;
        weightBefore = weight[at]!;
      }
    }
    return { y };
  },
  cost: ({ inputs }) => ({ flops: 2 * sizeOf(inputs.x.shape), bytes: 3 * bytesOf(inputs.x) }),
  cases: [
    ...cases,
    {
      name: "[512, 256]",
      inputs: { x: [512, 256], weight: { shape: [512, 256], fill: (_index, uniform) => uniform() } },
      attrs: { axis: 1, kind: "own", reverse: false },
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [2], weight: [3] },
      attrs: { axis: 0, kind: "own", reverse: false },
      message: /recurrence: weight must have the shape of x \[2\] but is \[3\]/,
    },
    {
      inputs: { x: { shape: [2], dtype: "i32" }, weight: [2] },
      attrs: { axis: 0, kind: "own", reverse: false },
      message: /recurrence: x must be f32 but is i32; cast it first/,
    },
  ],
});
