/** Sorting along an axis. */
import { defineKernel, grid, type Pass, perThread } from "../kernel.ts";
import { bytesOf, ceilDiv, type DType, sizeOf, spec } from "../spec.ts";
import { type AxisAttrs, type Lines, lineBase, lineParams, lineStart, lineStride, linesOf } from "./lines.ts";
import { bitsType, compareValues, orderFunction } from "./order.ts";

/** Attributes of `sort`. */
export interface SortAttrs extends AxisAttrs {
  /** The largest first. */
  readonly descending: boolean;
}

const threads = 64;
/** Elements that are compared each with each; from there on sorted runs are merged. */
const block = 32;

/** Widths of the runs that the merging passes merge; none where a block holds the whole line. */
function runWidths(columns: number): number[] {
  const widths: number[] = [];
  for (let width = block; width < columns; width *= 2) widths.push(width);
  return widths;
}

/** WGSL that writes the element that stood at `from` in its line to `to`: into a scratch tensor, or as the result. */
const store = (lines: Lines, into: string | undefined, key: string, from: string, to: string): string =>
  into
    ? /* wgsl */ `${into}[row * params.columns + ${to}] = vec2u(${key}, ${from});`
    : /* wgsl */ `
  let slot = start + (${to}) * ${lineStride(lines)};
  values[slot] = x[start + ${from} * ${lineStride(lines)}];
  indices[slot] = i32(${from});`;

/** One thread per element: `body` sees its `row`, its `column` in the row, and the `start` of the line in memory. */
function elementPass(
  lines: Lines,
  dtype: DType,
  label: string,
  { from, into }: { readonly from?: string; readonly into: string | undefined },
  functions: string,
  body: string,
): Pass {
  const bits = bitsType(dtype);
  return {
    label,
    read: { ...(from && into ? {} : { x: bits }), ...(from ? { [from]: "vec2u" } : {}) },
    write: into ? { [into]: "vec2u" } : { values: bits, indices: "i32" },
    workgroups: grid(ceilDiv(lines.rows * lines.columns, threads)),
    code:
      functions +
      perThread(
        threads,
        /* wgsl */ `
  if (i >= params.rows * params.columns) { return; }
  let row = i / params.columns;
  let column = i % params.columns;
  let start = ${lineStart("row", lines)};${body}`,
      ),
  };
}

/** Counts the elements of its block that come before an element: that is its place. Of equals the first comes first. */
const blockPass = (lines: Lines, dtype: DType, descending: boolean, into: string | undefined): Pass =>
  elementPass(
    lines,
    dtype,
    "blocks",
    { into },
    `${orderFunction(dtype)}
fn keyOf(x: ${bitsType(dtype)}) -> u32 { return ${descending ? "~" : ""}orderOf(x); }
`,
    /* wgsl */ `
  let key = keyOf(x[start + column * ${lineStride(lines)}]);
  let first = column / ${block}u * ${block}u;
  let end = min(first + ${block}u, params.columns);
  var place = first;
  for (var other = first; other < end; other++) {
    let otherKey = keyOf(x[start + other * ${lineStride(lines)}]);
    if (otherKey < key || (otherKey == key && other < column)) { place++; }
  }
  ${store(lines, into, "key", "column", "place")}`,
  );

/**
 * Merges neighbouring runs: an element's place is its own in its run and the number of those of the other run that come before it, by
 * binary search. Elements of the left run come before their equals in the right one.
 */
const mergePass = (lines: Lines, dtype: DType, width: number, from: string, into: string | undefined): Pass =>
  elementPass(
    lines,
    dtype,
    `runs of ${width}`,
    { from, into },
    "",
    /* wgsl */ `
  let base = row * params.columns;
  let own = ${from}[base + column];
  let run = column / ${width}u;
  let isLeft = run % 2u == 0u;
  let other = min(select(run - 1u, run + 1u, isLeft) * ${width}u, params.columns);
  var low = other;
  var high = min(other + ${width}u, params.columns);
  while (low < high) {
    let middle = (low + high) / 2u;
    let key = ${from}[base + middle].x;
    if (key < own.x || (key == own.x && !isLeft)) { low = middle + 1u; } else { high = middle; }
  }
  let place = run / 2u * ${2 * width}u + column % ${width}u + low - other;
  ${store(lines, into, "own.x", "own.y", "place")}`,
  );

/**
 * The elements of x along an axis in rising order (or falling), and where each was. Stable: equals stay in their order. NaN counts as the
 * largest, −0 and 0 as equal. Input x of any shape and type; outputs values of its shape and type, and indices, i32.
 */
export const sort = defineKernel({
  name: "sort",
  inputs: ["x"],
  outputs: ["values", "indices"],
  params: lineParams,
  infer({ x }, { axis }: SortAttrs) {
    return {
      outputs: { values: spec(x.shape, x.dtype), indices: spec(x.shape, "i32") },
      params: linesOf("sort", x.shape, axis),
    };
  },
  variants: [
    {
      name: "merge",
      scratch(_caps, { params: { rows, columns } }) {
        // Keys and places, in pairs; the passes read one and write the other.
        const pairs = spec([2 * rows * columns], "u32");
        const merges = runWidths(columns).length;
        return { ...(merges > 0 ? { even: pairs } : {}), ...(merges > 1 ? { odd: pairs } : {}) };
      },
      passes(_caps, { inputs: { x }, attrs: { descending }, params }) {
        const widths = runWidths(params.columns);
        const names = ["even", "odd"] as const;
        const into = (pass: number): string | undefined =>
          pass < widths.length ? names[pass % 2] : undefined;
        return [
          blockPass(params, x.dtype, descending, into(0)),
          ...widths.map((width, k) => mergePass(params, x.dtype, width, names[k % 2]!, into(k + 1))),
        ];
      },
    },
  ],
  reference({ x }, { attrs: { descending }, params }) {
    const values = new Float64Array(x.length);
    const indices = new Float64Array(x.length);
    for (let row = 0; row < params.rows; row++) {
      const at = (column: number): number => lineBase(row, params) + column * params.inner;
      const sign = descending ? -1 : 1;
      const order = Array.from({ length: params.columns }, (_, column) => column).sort(
        (a, b) => sign * compareValues(x[at(a)]!, x[at(b)]!) || a - b,
      );
      order.forEach((from, to) => {
        values[at(to)] = x[at(from)]!;
        indices[at(to)] = from;
      });
    }
    return { values, indices };
  },
  cost: ({ inputs, outputs, params: { columns } }) => ({
    flops: sizeOf(inputs.x.shape) * Math.ceil(Math.log2(Math.max(1, columns))),
    bytes: bytesOf(inputs.x) + bytesOf(outputs.values) + bytesOf(outputs.indices),
  }),
  cases: [
    { name: "one element", inputs: { x: [1] }, attrs: { axis: 0, descending: false } },
    { name: "no elements", inputs: { x: [3, 0] }, attrs: { axis: 1, descending: false } },
    { name: "no lines", inputs: { x: [0, 3] }, attrs: { axis: 1, descending: true } },
    { name: "middle axis", inputs: { x: [3, 7, 5] }, attrs: { axis: 1, descending: false } },
    { name: "middle axis, merged", inputs: { x: [2, 133, 3] }, attrs: { axis: 1, descending: true } },
    ...[31, 32, 33, 64, 65, 100].map((columns) => ({
      name: `ties, ${columns} in a line`,
      inputs: {
        x: {
          shape: [3, columns],
          fill: (_index: number, uniform: () => number) => Math.floor(9 * uniform()),
        },
      },
      attrs: { axis: 1, descending: columns % 2 === 0 },
    })),
    ...[false, true].map((descending) => ({
      name: `zeros, infinities and NaN, ${descending ? "falling" : "rising"}`,
      inputs: {
        x: {
          shape: [2, 150],
          fill: (i: number, uniform: () => number) =>
            [Number.NaN, -0, 0, Infinity, -Infinity, -1e-40, 1e-40][i % 13] ?? uniform() - 0.5,
        },
      },
      attrs: { axis: 1, descending },
    })),
    {
      name: "f16",
      inputs: { x: { shape: [3, 77], dtype: "f16" } },
      attrs: { axis: 1, descending: true },
      tolerance: 0,
    },
    {
      name: "i32",
      inputs: { x: { shape: [3, 300], dtype: "i32", fill: (_i, u) => Math.floor(2 ** 32 * (u() - 0.5)) } },
      attrs: { axis: 1, descending: false },
    },
    {
      name: "u32, first axis",
      inputs: { x: { shape: [300, 3], dtype: "u32", fill: (_i, u) => Math.floor(2 ** 32 * u()) } },
      attrs: { axis: 0, descending: true },
    },
    {
      name: "bool",
      inputs: { x: { shape: [3, 50], dtype: "bool" } },
      attrs: { axis: 1, descending: false },
    },
    { name: "one long line", inputs: { x: [70001] }, attrs: { axis: 0, descending: false }, tolerance: 0 },
    { name: "[64, 1024]", inputs: { x: [64, 1024] }, attrs: { axis: 1, descending: true }, bench: true },
    {
      name: "2²⁰ in a line",
      inputs: { x: [2 ** 20] },
      attrs: { axis: 0, descending: false },
      benchOnly: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [] },
      attrs: { axis: 0, descending: false },
      message: /sort: x must have at least one axis but is \[\]/,
    },
    {
      inputs: { x: [2, 3] },
      attrs: { axis: 2, descending: false },
      message: /sort: axis 2 is outside of x \[2, 3\]/,
    },
  ],
});
