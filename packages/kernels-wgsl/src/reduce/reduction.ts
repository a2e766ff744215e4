/** Reductions over any axes: everything that `sum`, `max` and `min` share. */
import { check, checkFloat } from "../errors.ts";
import { type Case, defineKernel, grid, perThread, type Refusal } from "../kernel.ts";
import { bytesOf, ceilDiv, show, sizeOf, spec, stridesOf } from "../spec.ts";
import { blocksOf, loopsOf, offset } from "./loops.ts";

/** Attributes of `sum`, `max` and `min`. */
export interface ReduceAttrs {
  /** The axes to reduce; they become extents of 1. */
  readonly axes: readonly number[];
}

/** How two values become one. */
export interface Reduction<N extends string> {
  readonly name: N;
  /** WGSL that combines a total with one more value. */
  combine(total: string, value: string): string;
  /** The same in f64. */
  fold(total: number, value: number): number;
  /** Whether x may be f16; y is f32 then, too. */
  readonly halves?: boolean;
  /** What the reduction of no values is. */
  readonly identity: number;
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
  /** WGSL that leaves in `total` what combines the `values` from `first` to before `end`. */
  const accumulate = (first: string, end: string, value: (index: string) => string): string => {
    const loop = (total: string, start: string): string => /* wgsl */ `
  var total = ${total};
  for (var r = ${start}; r < ${end}; r++) { total = ${combine("total", value("r"))}; }`;
    // WGSL cannot write an infinite identity; there is a first value then, which the shape rule sees to.
    return Number.isFinite(identity) ? loop(`f32(${identity})`, first) : loop(value(first), `${first} + 1u`);
  };
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
        // Many values for few outputs: blocks of values side by side, then their totals in a second pass.
        name: "split",
        when: (_caps, { params }) =>
          params.reduced >= 256 && params.outputs * 4 < params.reduced * 64 && params.outputs < 65536,
        scratch: (_caps, { params }) => ({ partial: spec([blocksOf(params), params.outputs]) }),
        passes(_caps, { inputs, attrs, params }) {
          const { kept, reduced } = loopsOf(inputs.x.shape, attrs.axes);
          const length = ceilDiv(params.reduced, blocksOf(params));
          // Rounding the length up can leave fewer blocks with work than scratch has room for.
          const blocks = ceilDiv(params.reduced, length);
          const ofBlock = accumulate(
            "first",
            `min(first + ${length}u, params.reduced)`,
            (r) => `f32(x[base + ${offset(r, reduced)}])`,
          );
          const ofBlocks = accumulate("0u", `${blocks}u`, (r) => `partial[${r} * params.outputs + i]`);
          return [
            {
              label: "partial",
              read: { x: inputs.x.dtype },
              write: { partial: "f32" },
              workgroups: grid(ceilDiv(blocks * params.outputs, workgroupSize)),
              code: perThread(
                workgroupSize,
                /* wgsl */ `
  if (i >= ${blocks}u * params.outputs) { return; }
  let output = i % params.outputs;
  let first = (i / params.outputs) * ${length}u;
  let base = ${offset("output", kept)};${ofBlock}
  partial[i] = total;`,
              ),
            },
            {
              label: "total",
              read: { partial: "f32" },
              write: { y: "f32" },
              workgroups: grid(ceilDiv(params.outputs, workgroupSize)),
              code: perThread(
                workgroupSize,
                /* wgsl */ `
  if (i >= params.outputs) { return; }${ofBlocks}
  y[i] = total;`,
              ),
            },
          ];
        },
      },
      {
        name: "direct",
        passes(_caps, { inputs, attrs, params }) {
          const { kept, reduced } = loopsOf(inputs.x.shape, attrs.axes);
          const all = accumulate("0u", "params.reduced", (r) => `f32(x[base + ${offset(r, reduced)}])`);
          return [
            {
              read: { x: inputs.x.dtype },
              write: { y: "f32" },
              workgroups: grid(ceilDiv(params.outputs, workgroupSize)),
              code: perThread(
                workgroupSize,
                /* wgsl */ `
  if (i >= params.outputs) { return; }
  let base = ${offset("i", kept)};${all}
  y[i] = total;`,
              ),
            },
          ];
        },
      },
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
