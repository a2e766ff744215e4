/** Where the largest, or the smallest, element of a line is. */
import { check } from "../errors.ts";
import { defineKernel, grid, perThread } from "../kernel.ts";
import { bytesOf, ceilDiv, type DType, isFloat, show, sizeOf, spec } from "../spec.ts";
import { type AxisAttrs, lineBase, lineParams, lineStart, lineStride, linesOf } from "./lines.ts";
import { bitsType, compareValues, orderFunction } from "./order.ts";
import { perWorkgroup } from "./workgroup.ts";

const threads = 64;
/** Lanes that share a line, and lines shorter than which one thread takes. */
const [lanes, shortLine] = [256, 64];

/** WGSL of `rankOf(x) -> u32`: the larger, the sooner an element wins. NaN always does. */
const rankFunction = (name: "argmax" | "argmin", dtype: DType): string => {
  const nan = isFloat(dtype) ? "order == 0xffffffffu" : "false";
  return `${orderFunction(dtype)}
fn rankOf(x: ${bitsType(dtype)}) -> u32 {
  let order = orderOf(x);
  return ${name === "argmax" ? "order" : `select(~order, 0xffffffffu, ${nan})`};
}
`;
};

const extremum = <const N extends "argmax" | "argmin">(name: N) =>
  defineKernel({
    name,
    inputs: ["x"],
    outputs: ["y"],
    params: lineParams,
    infer({ x }, { axis }: AxisAttrs) {
      const params = linesOf(name, x.shape, axis);
      const shape = x.shape.map((extent, k) => (k === axis ? 1 : extent));
      check(
        params.columns > 0 || sizeOf(shape) === 0,
        name,
        () => `x ${show(x.shape)} has no elements along axis ${axis}, so there is no ${name}.`,
      );
      return { outputs: { y: spec(shape, "i32") }, params };
    },
    variants: [
      {
        name: "line per thread",
        when: ({ adapterClass }, { params: { rows, columns, inner } }) =>
          adapterClass === "software" || columns < shortLine || (inner > 1 && rows >= 4096),
        passes: (_caps, { inputs: { x }, params }) => [
          {
            read: { x: bitsType(x.dtype) },
            write: { y: "i32" },
            workgroups: grid(ceilDiv(params.rows, threads)),
            code:
              rankFunction(name, x.dtype) +
              perThread(
                threads,
                /* wgsl */ `
  if (i >= params.rows) { return; }
  let start = ${lineStart("i", params)};
  var best = rankOf(x[start]);
  var place = 0u;
  for (var c = 1u; c < params.columns; c++) {
    let rank = rankOf(x[start + c * ${lineStride(params)}]);
    if (rank > best) { best = rank; place = c; }
  }
  y[i] = i32(place);`,
              ),
          },
        ],
      },
      {
        name: "line per workgroup",
        passes: (_caps, { inputs: { x }, params }) => [
          {
            read: { x: bitsType(x.dtype) },
            write: { y: "i32" },
            workgroups: grid(params.rows),
            code: `${rankFunction(name, x.dtype)}
var<workgroup> ranks: array<u32, ${lanes}>;
var<workgroup> places: array<u32, ${lanes}>;
${perWorkgroup(
  lanes,
  "params.rows",
  /* wgsl */ `
  let start = ${lineStart("item", params)};
  var place = min(lane, params.columns - 1u);
  var best = rankOf(x[start + place * ${lineStride(params)}]);
  for (var c = lane + ${lanes}u; c < params.columns; c += ${lanes}u) {
    let rank = rankOf(x[start + c * ${lineStride(params)}]);
    if (rank > best) { best = rank; place = c; }
  }
  ranks[lane] = best;
  places[lane] = place;
  workgroupBarrier();
  for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {
    if (lane < half) {
      let rank = ranks[lane + half];
      let other = places[lane + half];
      // Of equals the first wins.
      if (rank > ranks[lane] || (rank == ranks[lane] && other < places[lane])) {
        ranks[lane] = rank;
        places[lane] = other;
      }
    }
    workgroupBarrier();
  }
  if (lane == 0u) { y[item] = i32(places[0]); }`,
)}`,
          },
        ],
      },
    ],
    reference({ x }, { params }) {
      const y = new Float64Array(params.rows);
      const sign = name === "argmax" ? 1 : -1;
      const wins = (a: number, b: number): boolean =>
        Number.isNaN(a) ? !Number.isNaN(b) : !Number.isNaN(b) && sign * compareValues(a, b) > 0;
      for (let row = 0; row < params.rows; row++) {
        const at = (column: number): number => x[lineBase(row, params) + column * params.inner]!;
        let place = 0;
        for (let column = 1; column < params.columns; column++)
          if (wins(at(column), at(place))) place = column;
        y[row] = place;
      }
      return { y };
    },
    cost: ({ inputs, outputs }) => ({
      flops: sizeOf(inputs.x.shape),
      bytes: bytesOf(inputs.x) + bytesOf(outputs.y),
    }),
    cases: [
      { name: "one element", inputs: { x: [1] }, attrs: { axis: 0 } },
      { name: "prime sizes", inputs: { x: [3, 7, 5] }, attrs: { axis: 1 } },
      { name: "no lines", inputs: { x: [0, 3] }, attrs: { axis: 1 } },
      {
        name: "ties, longer than the lanes",
        inputs: { x: { shape: [5, 1031], fill: (_index, uniform) => Math.floor(4 * uniform()) } },
        attrs: { axis: 1 },
      },
      {
        name: "zeros of both signs, infinities",
        inputs: {
          x: {
            shape: [4, 3],
            fill: (i) => [0, -0, 0, -0, 0, -0, -Infinity, 1, 2, 3, Infinity, Infinity][i]!,
          },
        },
        attrs: { axis: 1 },
      },
      {
        name: "NaN of both signs",
        inputs: {
          x: { shape: [9, 300], fill: (i, uniform) => (i % 250 === 3 ? Number.NaN : uniform()) },
        },
        attrs: { axis: 1 },
      },
      { name: "f16, first axis", inputs: { x: { shape: [300, 3], dtype: "f16" } }, attrs: { axis: 0 } },
      {
        name: "i32",
        inputs: { x: { shape: [3, 300], dtype: "i32", fill: (_i, u) => Math.floor(2 ** 32 * (u() - 0.5)) } },
        attrs: { axis: 1 },
      },
      {
        name: "u32",
        inputs: { x: { shape: [3, 300], dtype: "u32", fill: (_i, u) => Math.floor(2 ** 32 * u()) } },
        attrs: { axis: 1 },
      },
      { name: "bool", inputs: { x: { shape: [3, 11], dtype: "bool" } }, attrs: { axis: 1 } },
      { name: "a thousand classes", inputs: { x: [64, 1000] }, attrs: { axis: 1 }, bench: true },
    ],
    refusals: [
      {
        inputs: { x: [2, 0] },
        attrs: { axis: 1 },
        message: new RegExp(`${name}: x \\[2, 0\\] has no elements along axis 1, so there is no ${name}`),
      },
    ],
  });

/**
 * yₒ = the place of the largest element along an axis: the first of equals, and that of the first NaN where there is one. Input x of any
 * shape and type; output y, i32, with an extent of 1 there.
 */
export const argmax = extremum("argmax");

/** yₒ = the place of the smallest element along an axis; otherwise as {@link argmax}. */
export const argmin = extremum("argmin");
