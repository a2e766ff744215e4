/** Largest and smallest value over some axes. */
import { check } from "../errors.ts";
import { defineKernel, grid, perThread } from "../kernel.ts";
import { bytesOf, ceilDiv, show, sizeOf, spec, stridesOf } from "../spec.ts";
import { blocksOf, loopsOf, offset } from "./loops.ts";

export interface MaxAttrs {
  /** The axes to reduce; they become extents of 1. */
  readonly axes: readonly number[];
}

const workgroupSize = 64;

const extremum = <const N extends "max" | "min">(name: N) =>
  defineKernel({
    name,
    inputs: ["x"],
    outputs: ["y"],
    params: { outputs: "u32", reduced: "u32" },
    infer({ x }, { axes }: MaxAttrs) {
      check(x.dtype === "f32", name, `x must be f32 but is ${x.dtype}; cast it first.`);
      for (const axis of axes) {
        check(axis >= 0 && axis < x.shape.length, name, `axis ${axis} is outside of x ${show(x.shape)}.`);
      }
      check(sizeOf(x.shape) > 0, name, `x ${show(x.shape)} has no elements, so there is no ${name}.`);
      const shape = x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
      return {
        outputs: { y: spec(shape) },
        params: { outputs: sizeOf(shape), reduced: sizeOf(x.shape) / sizeOf(shape) },
      };
    },
    variants: [
      {
        // Many values for few outputs: blocks of values side by side, then their results in a second pass.
        name: "split",
        when: (_caps, { params }) =>
          params.reduced >= 256 && params.outputs * 4 < params.reduced * 64 && params.outputs < 65536,
        scratch: (_caps, { params }) => ({ partial: spec([blocksOf(params), params.outputs]) }),
        passes(_caps, { inputs, attrs, params }) {
          const loops = loopsOf(inputs.x.shape, attrs.axes);
          const kept = loops.filter(({ kept }) => kept);
          const reduced = loops.filter(({ kept }) => !kept);
          const length = ceilDiv(params.reduced, blocksOf(params));
          // Rounding the length up can leave fewer blocks with work than scratch has room for.
          const blocks = ceilDiv(params.reduced, length);
          return [
            {
              label: "partial",
              read: { x: "f32" },
              write: { partial: "f32" },
              workgroups: grid(ceilDiv(blocks * params.outputs, workgroupSize)),
              code: perThread(
                workgroupSize,
                /* wgsl */ `
  if (i >= ${blocks}u * params.outputs) { return; }
  let output = i % params.outputs;
  let first = (i / params.outputs) * ${length}u;
  let base = ${offset("output", kept)};
  var best = x[base + ${offset("first", reduced)}];
  for (var r = first + 1u; r < min(first + ${length}u, params.reduced); r++) {
    best = ${name}(best, x[base + ${offset("r", reduced)}]);
  }
  partial[i] = best;`,
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
  if (i >= params.outputs) { return; }
  var best = partial[i];
  for (var block = 1u; block < ${blocks}u; block++) { best = ${name}(best, partial[block * params.outputs + i]); }
  y[i] = best;`,
              ),
            },
          ];
        },
      },
      {
        name: "direct",
        passes(_caps, { inputs, attrs, params }) {
          const loops = loopsOf(inputs.x.shape, attrs.axes);
          const kept = loops.filter(({ kept }) => kept);
          const reduced = loops.filter(({ kept }) => !kept);
          return [
            {
              read: { x: "f32" },
              write: { y: "f32" },
              workgroups: grid(ceilDiv(params.outputs, workgroupSize)),
              code: perThread(
                workgroupSize,
                /* wgsl */ `
  if (i >= params.outputs) { return; }
  let base = ${offset("i", kept)};
  var best = x[base];
  for (var r = 1u; r < params.reduced; r++) { best = ${name}(best, x[base + ${offset("r", reduced)}]); }
  y[i] = best;`,
              ),
            },
          ];
        },
      },
    ],
    reference({ x }, { inputs, outputs, attrs }) {
      const y = new Float64Array(sizeOf(outputs.y.shape)).fill(name === "max" ? -Infinity : Infinity);
      const from = stridesOf(inputs.x.shape);
      const to = stridesOf(outputs.y.shape);
      x.forEach((value, index) => {
        let target = 0;
        inputs.x.shape.forEach((extent, axis) => {
          if (!attrs.axes.includes(axis)) target += (Math.floor(index / from[axis]!) % extent) * to[axis]!;
        });
        y[target] = Math[name](y[target]!, value);
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
      {
        name: "far from zero on the wrong side",
        inputs: {
          x: { shape: [3, 300], fill: (_index, uniform) => (name === "max" ? -1e6 : 1e6) * (1 + uniform()) },
        },
        attrs: { axes: [1] },
      },
      { name: "long axis to a scalar", inputs: { x: [10007] }, attrs: { axes: [0] } },
      { name: "length just above a block", inputs: { x: [2, 257, 3] }, attrs: { axes: [1] } },
      {
        name: "score of an anomaly map",
        inputs: { x: [2, 256, 256, 1] },
        attrs: { axes: [1, 2, 3] },
        bench: true,
      },
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
        message: new RegExp(`${name}: x must be f32 but is i32`),
      },
      {
        inputs: { x: [2, 0] },
        attrs: { axes: [1] },
        message: new RegExp(`${name}: x \\[2, 0\\] has no elements`),
      },
    ],
  });

/** yₒ = max of x over `axes`, which become extents of 1. Input x of any shape; output y. */
export const max = extremum("max");

/** yₒ = min of x over `axes`, which become extents of 1. Input x of any shape; output y. */
export const min = extremum("min");
