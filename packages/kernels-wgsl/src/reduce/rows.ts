/** Passes over the rows of the last axis: a thread takes a row (software adapters, short rows) or a workgroup does. */
import { grid, type Pass, perThread } from "../kernel.ts";
import { ceilDiv } from "../spec.ts";
import { perWorkgroup, workgroupFold } from "./workgroup.ts";

/** Elements that are loaded at once. */
export const widthOf = (columns: number): 1 | 4 => (columns % 4 === 0 ? 4 : 1);

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
 * `body` sees `V` (the type of what is loaded at once), a row's `first` and `end`, the `step` of its loop, and
 * `rowSum(v, lane)` and `rowMax(v, lane)`, which combine all lanes of a row. `params.rows` and `params.columns` bound it.
 */
export function rowPass(
  { rows, columns }: { rows: number; columns: number },
  lanes: number,
  bindings: { read: readonly string[]; write: readonly string[] },
  body: string,
): Pass {
  const width = widthOf(columns);
  const type = width === 4 ? "vec4<f32>" : "f32";
  const typed = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, type]));
  const head = `alias V = ${type};\n${across(width)}`;
  const range = (row: string, start: string) => /* wgsl */ `
  let length = params.columns / ${width}u;
  let first = ${row} * length + ${start};
  let end = (${row} + 1u) * length;
  let step = ${lanes}u;`;
  const names = { read: typed(bindings.read), write: typed(bindings.write) };
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

/** Whether a thread should take a whole row: barriers are dear on software adapters, and pointless for short rows. */
export const rowPerThread = (adapterClass: string, columns: number): boolean =>
  adapterClass === "software" || columns <= 32;

/** Lanes of the variant with a workgroup per row. */
export const rowLanes = 64;
