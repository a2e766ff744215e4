/** Reductions over any axes: the common parts of `sum`, `prod`, `max`, `min`, `any` and `all`. */
import { check } from "../errors.ts";
import { type Case, defineKernel, grid, perThread, type Refusal } from "../kernel.ts";
import { bytesOf, ceilDiv, type DType, show, sizeOf, spec, storageType, stridesOf } from "../spec.ts";
import { type Combination, termsAtOnce } from "./fold.ts";
import { foldVariants, isDirect, type ReduceAttrs } from "./foldVariants.ts";
import { loopsOf, offset } from "./loops.ts";

/** What distinguishes the reductions: how values combine, types, identity. */
export interface Reduction<N extends string> {
  readonly name: N;
  /** How values of x's type become one, in a shader. */
  combination(x: DType): Combination;
  /** The same in f64. */
  fold(total: number, value: number): number;
  /** The identity, returned for no values; an infinite one means that none exists. */
  readonly identity: number;
  /** Type of the result. Throws ShapeError where x's type, or what is asked for, has none. */
  result(x: DType, asked: DType | undefined): DType;
  /** Type of x in the cases that all reductions share; default f32. */
  readonly shared?: DType;
  readonly tolerance?: number;
  readonly cases: readonly Case<"x", ReduceAttrs>[];
  readonly refusals: readonly Refusal<"x", ReduceAttrs>[];
}

const workgroupSize = 64;

/** WGSL of the loop of one thread over all values, in two levels where a sum of many terms would lose digits. */
function directLoop(
  { combine, identity, rounds, total }: Combination,
  values: number,
  value: (r: string) => string,
): string {
  // WGSL cannot write an infinite identity; the shape rule then guarantees a first value.
  if (!Number.isFinite(identity))
    return /* wgsl */ `
  var total = ${value("0u")};
  for (var r = 1u; r < params.reduced; r++) { total = ${combine("total", value("r"), 1)}; }`;
  if (!rounds || values <= termsAtOnce)
    return /* wgsl */ `
  var total = ${total}(${identity});
  for (var r = 0u; r < params.reduced; r++) { total = ${combine("total", value("r"), 1)}; }`;
  return /* wgsl */ `
  var total = ${total}(${identity});
  for (var r = 0u; r < params.reduced;) {
    let end = min(r + ${termsAtOnce}u, params.reduced);
    var few = ${total}(${identity});
    for (; r < end; r++) { few = ${combine("few", value("r"), 1)}; }
    total = ${combine("total", "few", 1)};
  }`;
}

export function reduction<const N extends string>({
  name,
  combination,
  fold,
  identity,
  result,
  shared = "f32",
  tolerance,
  ...tests
}: Reduction<N>) {
  return defineKernel({
    name,
    inputs: ["x"],
    outputs: ["y"],
    params: { outputs: "u32", reduced: "u32" },
    infer({ x }, { axes, dtype }: ReduceAttrs) {
      for (const axis of axes) {
        check(
          axis >= 0 && axis < x.shape.length,
          name,
          () => `axis ${axis} is outside of x ${show(x.shape)}.`,
        );
      }
      const shape = x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
      const outputs = sizeOf(shape);
      const reduced = sizeOf(axes.map((axis) => x.shape[axis]!));
      check(
        outputs === 0 || reduced > 0 || Number.isFinite(identity),
        name,
        () =>
          `x ${show(x.shape)} has no elements along the axes [${axes.join(", ")}], so there is no ${name}.`,
      );
      return { outputs: { y: spec(shape, result(x.dtype, dtype)) }, params: { outputs, reduced } };
    },
    variants: [
      {
        name: "direct",
        when: isDirect,
        passes(_caps, { inputs, outputs, attrs, params }) {
          const { kept, reduced } = loopsOf(inputs.x.shape, attrs.axes);
          const how = combination(inputs.x.dtype);
          const stored = storageType(outputs.y.dtype);
          return [
            {
              read: { x: storageType(inputs.x.dtype) },
              write: { y: stored },
              workgroups: grid(ceilDiv(params.outputs, workgroupSize)),
              code: `${how.functions}${perThread(
                workgroupSize,
                /* wgsl */ `
  if (i >= params.outputs) { return; }
  let base = ${offset("kept", "i", kept)};${directLoop(how, params.reduced, (r) => `${how.total}(x[base + ${offset("reduced", r, reduced)}])`)}
  y[i] = ${stored}(total);`,
              )}`,
            },
          ];
        },
      },
      ...foldVariants(combination),
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
    tolerance,
    cases: [
      { name: "one element", inputs: { x: { shape: [1], dtype: shared } }, attrs: { axes: [0] } },
      { name: "scalar", inputs: { x: { shape: [], dtype: shared } }, attrs: { axes: [] } },
      {
        name: "prime sizes, middle axis",
        inputs: { x: { shape: [3, 7, 5], dtype: shared } },
        attrs: { axes: [1] },
      },
      {
        name: "outer and inner axes",
        inputs: { x: { shape: [5, 6, 7], dtype: shared } },
        attrs: { axes: [0, 2] },
      },
      { name: "no outputs", inputs: { x: { shape: [0, 3], dtype: shared } }, attrs: { axes: [1] } },
      {
        name: "neither outputs nor values",
        inputs: { x: { shape: [2, 0, 0, 3], dtype: shared } },
        attrs: { axes: [0, 2] },
      },
      ...tests.cases,
    ],
    refusals: [
      {
        inputs: { x: { shape: [2, 3], dtype: shared } },
        attrs: { axes: [2] },
        message: new RegExp(`${name}: axis 2 is outside of x \\[2, 3\\]`),
      },
      ...tests.refusals,
    ],
  });
}

/** Cases in `dtype` for every way to divide the work: by a thread, by rows, by columns, in two passes, with odd and even sizes. */
export const typedCases = (
  dtype: DType,
  fill?: (index: number, uniform: () => number) => number,
): Case<"x", ReduceAttrs>[] =>
  (
    [
      ["a few", [5, 7], [1]],
      ["long rows by four", [5, 3, 516], [2]],
      ["long rows, odd", [4, 517], [1]],
      ["columns by four", [150, 40], [0]],
      ["columns, odd", [2, 75, 13], [0, 1]],
      ["to a scalar, two passes", [400003], [0]],
    ] as const
  ).map(([name, shape, axes]) => ({
    name: `${dtype}, ${name}`,
    inputs: { x: fill ? { shape, dtype, fill } : { shape, dtype } },
    attrs: { axes },
  }));
