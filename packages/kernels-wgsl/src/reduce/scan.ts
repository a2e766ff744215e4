/** Running sums and products along an axis (prefix sums, or scans): the common parts of `cumsum` and `cumprod`. */
import { check } from "../errors.ts";
import { type Case, defineKernel, grid, type Pass, perThread, type Refusal } from "../kernel.ts";
import { bytesOf, ceilDiv, type DType, isFloat, sizeOf, spec } from "../spec.ts";
import { type AxisAttrs, type Lines, lineBase, lineParams, lineStart, lineStride, linesOf } from "./lines.ts";
import { rowPerThread } from "./rows.ts";
import { perWorkgroup } from "./workgroup.ts";

/** Attributes of `cumsum` and `cumprod`. */
export interface ScanAttrs extends AxisAttrs {
  /** From the end of the line towards its start. */
  readonly reverse: boolean;
  /** An element's own value does not count for it. */
  readonly exclusive: boolean;
}

/** How values become one. */
export interface Scan<N extends string> {
  readonly name: N;
  readonly operator: "+" | "*";
  readonly identity: 0 | 1;
  readonly tolerance?: number;
  readonly cases: readonly Case<"x", ScanAttrs>[];
  readonly refusals: readonly Refusal<"x", ScanAttrs>[];
}

const threads = 64;
/** Steps whose total is kept apart, so that rounding errors of long lines grow with the number of such blocks. */
const block = 64;

/** WGSL: where the `step`-th element that is combined stands in its line. */
const column = (reverse: boolean, step: string): string =>
  reverse ? `(params.columns - 1u - ${step})` : step;

const totalOf = (dtype: DType): "f32" | "i32" | "u32" => (isFloat(dtype) ? "f32" : (dtype as "i32" | "u32"));

function threadPass(
  operator: string,
  identity: number,
  { reverse, exclusive }: ScanAttrs,
  lines: Lines,
  dtype: DType,
): Pass {
  const total = totalOf(dtype);
  const store = /* wgsl */ `y[at] = ${dtype}(total ${operator} few);`;
  return {
    read: { x: dtype },
    write: { y: dtype },
    workgroups: grid(ceilDiv(lines.rows, threads)),
    code: perThread(
      threads,
      /* wgsl */ `
  if (i >= params.rows) { return; }
  let start = ${lineStart("i", lines)};
  var total = ${total}(${identity});
  var few = ${total}(${identity});
  for (var step = 0u; step < params.columns; step++) {
    let at = start + ${column(reverse, "step")} * ${lineStride(lines)};
    let value = ${total}(x[at]);
    ${exclusive ? store : ""}
    few = few ${operator} value;
    ${exclusive ? "" : store}
    if (step % ${block}u == ${block - 1}u) {
      total = total ${operator} few;
      few = ${total}(${identity});
    }
  }`,
    ),
  };
}

/** Elements of a line that a lane combines by itself, and the most lanes that share a line. */
const [perLane, mostLanes] = [4, 256];

/** As many lanes as a line fills. */
const lanesOf = (columns: number): number =>
  Math.min(mostLanes, Math.max(32, 2 ** Math.ceil(Math.log2(Math.max(1, columns / perLane)))));

/**
 * The lanes of a workgroup take a stretch of the line together: each combines a few elements, then they scan what they have (Hillis and
 * Steele 1986), and the total is carried on to the next stretch.
 */
function workgroupPass(
  operator: string,
  identity: number,
  { reverse, exclusive }: ScanAttrs,
  lines: Lines,
  dtype: DType,
): Pass {
  const total = totalOf(dtype);
  const lanes = lanesOf(lines.columns);
  const each = (body: (j: number) => string): string =>
    Array.from({ length: perLane }, (_, j) => body(j)).join("\n");
  const place = (j: number): string => `begin + ${column(reverse, `(first + ${j}u)`)} * ${lineStride(lines)}`;
  const write = (j: number): string =>
    `if (first + ${j}u < params.columns) { y[${place(j)}] = ${dtype}(running); }`;
  const combine = (j: number): string => `running = running ${operator} value${j};`;
  return {
    read: { x: dtype },
    write: { y: dtype },
    workgroups: grid(lines.rows),
    code: /* wgsl */ `var<workgroup> totals: array<${total}, ${lanes}>;
${perWorkgroup(
  lanes,
  "params.rows",
  /* wgsl */ `
  let begin = ${lineStart("item", lines)};
  var carried = ${total}(${identity});
  for (var start = 0u; start < params.columns; start += ${lanes * perLane}u) {
    let first = start + lane * ${perLane}u;
${each(
  (j) => /* wgsl */ `    var value${j} = ${total}(${identity});
    if (first + ${j}u < params.columns) { value${j} = ${total}(x[${place(j)}]); }`,
)}
    totals[lane] = ${each((j) => `value${j}`).replaceAll("\n", ` ${operator} `)};
    workgroupBarrier();
    for (var reach = 1u; reach < ${lanes}u; reach *= 2u) {
      var before = ${total}(${identity});
      if (lane >= reach) { before = totals[lane - reach]; }
      workgroupBarrier();
      totals[lane] = totals[lane] ${operator} before;
      workgroupBarrier();
    }
    var running = carried;
    if (lane > 0u) { running = carried ${operator} totals[lane - 1u]; }
${each((j) => (exclusive ? `    ${write(j)}\n    ${combine(j)}` : `    ${combine(j)}\n    ${write(j)}`))}
    carried = carried ${operator} totals[${lanes - 1}];
    workgroupBarrier();
  }`,
)}`,
  };
}

export function scan<const N extends string>({ name, operator, identity, tolerance, ...tests }: Scan<N>) {
  return defineKernel({
    name,
    inputs: ["x"],
    outputs: ["y"],
    params: lineParams,
    infer({ x }, { axis }: ScanAttrs) {
      check(x.dtype !== "bool", name, "x must be a number but is bool; cast it first.");
      return { outputs: { y: spec(x.shape, x.dtype) }, params: linesOf(name, x.shape, axis) };
    },
    variants: [
      {
        name: "row per thread",
        when: ({ adapterClass }, { params }) => rowPerThread(adapterClass, params),
        passes: (_caps, { inputs, attrs, params }) => [
          threadPass(operator, identity, attrs, params, inputs.x.dtype),
        ],
      },
      {
        name: "row per workgroup",
        passes: (_caps, { inputs, attrs, params }) => [
          workgroupPass(operator, identity, attrs, params, inputs.x.dtype),
        ],
      },
    ],
    reference({ x }, { attrs: { reverse, exclusive }, params }) {
      const y = new Float64Array(x.length);
      for (let row = 0; row < params.rows; row++) {
        let total: number = identity;
        for (let step = 0; step < params.columns; step++) {
          const place = reverse ? params.columns - 1 - step : step;
          const at = lineBase(row, params) + place * params.inner;
          if (exclusive) y[at] = total;
          total = operator === "+" ? total + x[at]! : total * x[at]!;
          if (!exclusive) y[at] = total;
        }
      }
      return { y };
    },
    cost: ({ inputs }) => ({ flops: sizeOf(inputs.x.shape), bytes: 2 * bytesOf(inputs.x) }),
    tolerance,
    cases: [
      { name: "one element", inputs: { x: [1] }, attrs: { axis: 0, reverse: false, exclusive: false } },
      { name: "no elements", inputs: { x: [3, 0] }, attrs: { axis: 1, reverse: false, exclusive: false } },
      { name: "no lines", inputs: { x: [0, 3] }, attrs: { axis: 1, reverse: true, exclusive: true } },
      ...tests.cases,
    ],
    refusals: [
      {
        inputs: { x: [] },
        attrs: { axis: 0, reverse: false, exclusive: false },
        message: new RegExp(`${name}: x must have at least one axis but is \\[\\]`),
      },
      {
        inputs: { x: { shape: [2], dtype: "bool" } },
        attrs: { axis: 0, reverse: false, exclusive: false },
        message: new RegExp(`${name}: x must be a number but is bool; cast it first`),
      },
      ...tests.refusals,
    ],
  });
}

/** Cases for every direction, with contiguous and interleaved lines, around the number of lanes. */
export const scanCases = (fill: (index: number, uniform: () => number) => number): Case<"x", ScanAttrs>[] =>
  [false, true].flatMap((reverse) =>
    [false, true].flatMap((exclusive) => {
      const direction = `${reverse ? "reversed" : "forwards"}, ${exclusive ? "exclusive" : "inclusive"}`;
      return (
        [
          ["prime sizes", [3, 5, 7], 2],
          ["lanes − 1, many rows", [131, 63], 1],
          ["lanes + 1, first axis", [65, 3], 0],
          ["middle axis", [2, 130, 3], 1],
        ] as const
      ).map(([name, shape, axis]) => ({
        name: `${name}, ${direction}`,
        inputs: { x: { shape, fill } },
        attrs: { axis, reverse, exclusive },
      }));
    }),
  );
