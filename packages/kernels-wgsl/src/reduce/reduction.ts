/** Reductions over any axes: everything that `sum`, `max` and `min` share. */
import { check, checkFloat } from "../errors.ts";
import { type Case, defineKernel, grid, perThread, type Refusal } from "../kernel.ts";
import { bytesOf, ceilDiv, show, sizeOf, spec, stridesOf } from "../spec.ts";
import type { Combination } from "./fold.ts";
import { foldVariants, isDirect, type ReduceAttrs } from "./foldVariants.ts";
import { loopsOf, offset } from "./loops.ts";

/** How two values become one, and what else the three kernels differ in. */
export interface Reduction<N extends string> extends Combination {
  readonly name: N;
  /** What `combine` does, in f64. */
  fold(total: number, value: number): number;
  /** Whether x may be f16; y is f32 then, too. */
  readonly halves?: boolean;
  readonly cases: readonly Case<"x", ReduceAttrs>[];
  readonly refusals?: readonly Refusal<"x", ReduceAttrs>[];
}

const workgroupSize = 64;

export function reduction<const N extends string>({
  name,
  combine,
  fold,
  identity,
  halves = false,
  ...tests
}: Reduction<N>) {
  const folds = foldVariants({ combine, identity });
  return defineKernel({
    name,
    inputs: ["x"],
    outputs: ["y"],
    params: { outputs: "u32", reduced: "u32" },
    infer({ x }, { axes }: ReduceAttrs) {
      if (halves) checkFloat(name, "x", x.dtype);
      else check(x.dtype === "f32", name, `x must be f32 but is ${x.dtype}; cast it first.`);
      for (const axis of axes) {
        check(axis >= 0 && axis < x.shape.length, name, `axis ${axis} is outside of x ${show(x.shape)}.`);
      }
      const elements = sizeOf(x.shape);
      check(
        elements > 0 || Number.isFinite(identity),
        name,
        `x ${show(x.shape)} has no elements, so there is no ${name}.`,
      );
      const shape = x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
      return {
        outputs: { y: spec(shape) },
        params: { outputs: sizeOf(shape), reduced: elements / Math.max(1, sizeOf(shape)) },
      };
    },
    variants: [
      {
        name: "direct",
        when: isDirect,
        passes(_caps, { inputs, attrs, params }) {
          const { kept, reduced } = loopsOf(inputs.x.shape, attrs.axes);
          const value = (r: string) => `f32(x[base + ${offset(r, reduced)}])`;
          // WGSL cannot write an infinite identity; there is a first value then, which the shape rule sees to.
          const [start, first] = Number.isFinite(identity) ? [`f32(${identity})`, "0u"] : [value("0u"), "1u"];
          return [
            {
              read: { x: inputs.x.dtype },
              write: { y: "f32" },
              workgroups: grid(ceilDiv(params.outputs, workgroupSize)),
              code: perThread(
                workgroupSize,
                /* wgsl */ `
  if (i >= params.outputs) { return; }
  let base = ${offset("i", kept)};
  var total = ${start};
  for (var r = ${first}; r < params.reduced; r++) { total = ${combine("total", value("r"))}; }
  y[i] = total;`,
              ),
            },
          ];
        },
      },
      ...folds,
    ],
    reference({ x }, { inputs, outputs, attrs }) {
      const y = new Float64Array(sizeOf(outputs.y.shape)).fill(identity);
      const from = stridesOf(inputs.x.shape);
      const to = stridesOf(outputs.y.shape);
      x.forEach((value, index) => {
        let target = 0;
        inputs.x.shape.forEach((extent, axis) => {
          if (!attrs.axes.includes(axis)) target += (Math.floor(index / from[axis]!) % extent) * to[axis]!;
        });
        y[target] = fold(y[target]!, value);
      });
      return { y };
    },
    cost: ({ inputs, outputs }) => ({
      flops: sizeOf(inputs.x.shape),
      bytes: bytesOf(inputs.x) + bytesOf(outputs.y),
    }),
    cases: [
      { name: "one element", inputs: { x: [1] }, attrs: { axes: [0] } },
      { name: "scalar", inputs: { x: [] }, attrs: { axes: [] } },
      { name: "prime sizes, middle axis", inputs: { x: [3, 7, 5] }, attrs: { axes: [1] } },
      { name: "outer and inner axes", inputs: { x: [5, 6, 7] }, attrs: { axes: [0, 2] } },
      { name: "long axis to a scalar", inputs: { x: [10007] }, attrs: { axes: [0] } },
      { name: "length just above a block", inputs: { x: [2, 257, 3] }, attrs: { axes: [1] } },
      ...tests.cases,
    ],
    refusals: [
      {
        inputs: { x: [2, 3] },
        attrs: { axes: [2] },
        message: new RegExp(`${name}: axis 2 is outside of x \\[2, 3\\]`),
      },
      {
        inputs: { x: { shape: [2], dtype: "i32" } },
        attrs: { axes: [0] },
        message: new RegExp(`${name}: x must be f32 ${halves ? "or f16 " : ""}but is i32`),
      },
      ...(tests.refusals ?? []),
    ],
  });
}
