/** Passes over the lines along an axis: a thread takes a line (software adapters, short lines) or a workgroup does. */
import { grid, type Pass, perThread } from "../kernel.ts";
import { ceilDiv, type DType } from "../spec.ts";
import { type Lines, lineStart, lineStride } from "./lines.ts";
import { perWorkgroup, workgroupFold } from "./workgroup.ts";

/** Elements that are loaded at once. */
const widthOf = ({ columns, inner }: Lines): 1 | 4 => (inner === 1 && columns % 4 === 0 ? 4 : 1);

/** WGSL functions `across…(v)`: the sum or maximum of the components of what is loaded at once. */
const across = (width: 1 | 4): string =>
  width === 4
    ? /* wgsl */ `
fn acrossSum(v: vec4f) -> f32 { return dot(v, vec4f(1.0)); }
fn acrossMax(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
`
    : /* wgsl */ `
fn acrossSum(v: f32) -> f32 { return v; }
fn acrossMax(v: f32) -> f32 { return v; }
`;

/**
 * `body` sees `V` (the type of what is loaded at once, in f32) and `Stored` (the same as it is stored), a line's `first` and `end`, the
 * `step` of its loop, and `rowSum(v, lane)` and `rowMax(v, lane)`, which combine all lanes of a line.
 */
export function rowPass(
  lines: Lines,
  dtype: DType,
  lanes: number,
  bindings: { read: readonly string[]; write: readonly string[] },
  body: string,
): Pass {
  const width = widthOf(lines);
  const vector = (type: string): string => (width === 4 ? `vec4<${type}>` : type);
  const typed = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, vector(dtype)]));
  const head = `alias V = ${vector("f32")};\nalias Stored = ${vector(dtype)};\n${across(width)}`;
  const range = (row: string, lane: string) => /* wgsl */ `
  let stride = ${lineStride(lines)};
  let begin = (${lineStart(row, lines)}) / ${width}u;
  let end = begin + params.columns / ${width}u * stride;
  let first = begin + ${lane} * stride;
  let step = ${lanes}u * stride;`;
  const names = { read: typed(bindings.read), write: typed(bindings.write) };
  const { rows } = lines;
  if (lanes === 1) {
    const alone = /* wgsl */ `
fn rowSum(v: V, lane: u32) -> f32 { return acrossSum(v); }
fn rowMax(v: V, lane: u32) -> f32 { return acrossMax(v); }
`;
    const guard = "  if (i >= params.rows) { return; }";
    return {
      ...names,
      workgroups: grid(ceilDiv(rows, 64)),
      code: head + alone + perThread(64, `${guard}${range("i", "0u")}${body}`),
    };
  }
  const together = /* wgsl */ `
${workgroupFold("foldSum", lanes, "f32")}${workgroupFold("foldMax", lanes, "f32", "max(a, b)")}
fn rowSum(v: V, lane: u32) -> f32 { return foldSum(acrossSum(v), lane); }
fn rowMax(v: V, lane: u32) -> f32 { return foldMax(acrossMax(v), lane); }
`;
  const code = perWorkgroup(lanes, "params.rows", `${range("item", "lane")}${body}`);
  return { ...names, workgroups: grid(rows), code: head + together + code };
}

/** Lines that keep a GPU busy with a thread each; where the lines are interleaved, neighbouring threads read contiguous memory. */
const manyLines = 4096;

/** Whether a thread should take a whole line: barriers are expensive on software adapters, and pointless for short or many lines. */
export const rowPerThread = (adapterClass: string, { rows, columns, inner }: Lines): boolean =>
  adapterClass === "software" || columns <= 32 || (inner > 1 && rows >= manyLines);

/** Lanes of the variant with a workgroup per line. */
export const rowLanes = 64;
