/** The softmax between the products of attention. Its consumers divide by the sums. */
import { grid, type Pass, perThread } from "../kernel.ts";
import { elementsFor } from "../matmul/product.ts";
import { perWorkgroup, workgroupFold } from "../reduce/workgroup.ts";
import { ceilDiv, type DType } from "../spec.ts";
import type { AttentionSizes } from "./shared.ts";

const workgroupSize = 64;

/** Lanes of the workgroup of a row: each has a few loads, where the row is long enough for that. */
export const softmaxLanes = ({ keys }: AttentionSizes): number => {
  const loads = keys % 4 === 0 ? keys / 4 : keys;
  return loads <= 64 ? 32 : loads <= 512 ? 64 : 256;
};

/** Logits of the load `column` of a row where its query sees the keys. */
const seenFunction = (width: 1 | 4): string => /* wgsl */ `
fn seen(logits: V, column: u32, row: u32) -> V {
  let key = ${width === 4 ? "vec4u(4u * column) + vec4u(0u, 1u, 2u, 3u)" : "column"};
  return select(V(-1e30), logits, key <= ${width === 4 ? "vec4u(row % params.queries)" : "row % params.queries"});
}
`;

/**
 * Logits [N, heads, queries, keys] of `from`, not yet scaled, → weights relative to the largest of a row in `to`, which may be the
 * same tensor; the reciprocal of their sum in `factors` [N, queries, heads]; and logSumExp.
 *
 * @param lanes that share a row; 1 where a thread does everything and nobody waits
 * @param dtype of `to`; logits and sums are f32
 */
export function softmaxPass(
  sizes: AttentionSizes,
  lanes: number,
  { from, to, dtype }: { from: string; to: string; dtype: DType },
): Pass {
  const { images, heads, queries, keys, causal } = sizes;
  const width = keys % 4 === 0 ? 4 : 1;
  const stored = elementsFor(keys, dtype);
  const alone = lanes === 1;
  const rows = images * heads * queries;
  const bound = "params.images * params.heads * params.queries";
  const across = (fn: string): string => (width === 4 ? `${fn}(${fn}(v.x, v.y), ${fn}(v.z, v.w))` : "v");
  const [row, start] = alone ? ["i", "0u"] : ["item", "lane"];
  const seen = (value: string): string => (causal ? `seen(${value}, at - ${row} * length, ${row})` : value);
  const all = (fold: string, value: string): string => (alone ? value : `${fold}(${value}, lane)`);
  const body = /* wgsl */ `
  let factor = params.scale * ${Math.LOG2E};
  let length = params.keys / ${width}u;
  let first = ${row} * length + ${start};
  let end = (${row} + 1u) * length;
  var tops = V(-3.4e38);
  for (var at = first; at < end; at += ${lanes}u) { tops = max(tops, ${seen(`${from}[at] * factor`)}); }
  let top = ${all("foldMax", "largest(tops)")};
  var sums = V();
  for (var at = first; at < end; at += ${lanes}u) {
    let weight = exp2(${seen(`${from}[at] * factor`)} - top);
    ${to}[at] = Stored(weight);
    sums += weight;
  }
  let sum = ${all("foldSum", "total(sums)")};
  if (${start} == 0u) {
    let query = ${row} % params.queries;
    let head = ${row} / params.queries % params.heads;
    let image = ${row} / (params.queries * params.heads);
    factors[(image * params.queries + query) * params.heads + head] = 1.0 / sum;
    logSumExp[${row}] = (top + log2(sum)) * ${Math.LN2};
  }`;
  const folds = `${workgroupFold("foldMax", lanes, "f32", "max(a, b)")}${workgroupFold("foldSum", lanes, "f32")}`;
  return {
    label: "softmax",
    read: from === to ? {} : { [from]: elementsFor(keys) },
    write: { [to]: stored, factors: "f32", logSumExp: "f32" },
    workgroups: grid(alone ? ceilDiv(rows, workgroupSize) : rows),
    code: /* wgsl */ `
alias V = ${elementsFor(keys)};
alias Stored = ${stored};
fn largest(v: V) -> f32 { return ${across("max")}; }
${causal ? seenFunction(width) : ""}fn total(v: V) -> f32 { return ${width === 4 ? "dot(v, vec4f(1.0))" : "v"}; }
${
  alone
    ? perThread(workgroupSize, `  if (i >= ${bound}) { return; }${body}`)
    : folds + perWorkgroup(lanes, bound, body)
}`,
  };
}
