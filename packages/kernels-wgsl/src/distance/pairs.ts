/** The sums that the cosine distance and its gradient start from: a·b, a·a and b·b of every pair of rows. */
import { check } from "../errors.ts";
import { grid, type Pass, perThread } from "../kernel.ts";
import { perWorkgroup, workgroupFold } from "../reduce/workgroup.ts";
import { ceilDiv, sameShape, show, sizeOf, spec, type TensorSpec } from "../spec.ts";

/** Attributes of `cosineDistance` and its gradient. */
export interface CosineDistanceAttrs {
  /** Smallest denominator: similarity is a·b / max(|a| |b|, ε), so that an all-zero row has similarity 0. */
  readonly epsilon: number;
}

/** The uniform struct of both kernels. */
export const pairParams = { rows: "u32", columns: "u32", epsilon: "f32" } as const;

export interface PairSizes {
  readonly rows: number;
  readonly columns: number;
}

/** Both must be f32 of one shape [..., C]. */
export function pairSizes(op: string, { a, b }: Record<"a" | "b", TensorSpec>): PairSizes {
  for (const [name, { dtype }] of Object.entries({ a, b })) {
    check(dtype === "f32", op, () => `${name} must be f32 but is ${dtype}; cast it first.`);
  }
  check(a.shape.length >= 1, op, () => `a must be [..., C] but is ${show(a.shape)}.`);
  check(
    sameShape(a.shape, b.shape),
    op,
    () => `a and b must have one shape, but a is ${show(a.shape)} and b ${show(b.shape)}.`,
  );
  const columns = a.shape.at(-1)!;
  return { rows: sizeOf(a.shape) / columns, columns };
}

export const pairWidth = ({ columns }: PairSizes): 1 | 4 => (columns % 4 === 0 ? 4 : 1);

/** How the sums of a row are split over threads. */
export interface PairTiling {
  /** Threads that sum one block together; 1: each thread sums a block alone. */
  readonly lanes: number;
  /** Loads a thread adds up at most; short enough that rounding errors stay small. */
  readonly terms: number;
}

export const serialPairs: PairTiling = { lanes: 1, terms: 512 };
export const workgroupPairs: PairTiling = { lanes: 64, terms: 32 };

const blocksOf = (sizes: PairSizes, { lanes, terms }: PairTiling): number =>
  ceilDiv(sizes.columns / pairWidth(sizes), lanes * terms);

/** Scratch `partial`: [rows, blocks] of (a·b, a·a, b·b, unused). */
export const pairScratch = (sizes: PairSizes, tiling: PairTiling): { partial: TensorSpec } => ({
  partial: spec([sizes.rows, blocksOf(sizes, tiling), 4]),
});

/** a, b → partial. */
export function pairPass(sizes: PairSizes, tiling: PairTiling): Pass {
  const { lanes, terms } = tiling;
  const width = pairWidth(sizes);
  const type = width === 4 ? "vec4<f32>" : "f32";
  const blocks = blocksOf(sizes, tiling);
  const product = (left: string, right: string) =>
    width === 4 ? `dot(${left}, ${right})` : `${left} * ${right}`;
  const body = (item: string, lane: string, store: (sum: string) => string) => /* wgsl */ `
  let length = params.columns / ${width}u;
  let row = ${item} / ${blocks}u;
  let first = ${item} % ${blocks}u * ${lanes * terms}u;
  let end = row * length + min(first + ${lanes * terms}u, length);
  var sum = vec4f();
  for (var at = row * length + first + ${lane}; at < end; at += ${lanes}u) {
    let left = a[at];
    let right = b[at];
    sum += vec4f(${product("left", "right")}, ${product("left", "left")}, ${product("right", "right")}, 0.0);
  }
  ${store("sum")}`;
  const bindings = { label: "sums", read: { a: type, b: type }, write: { partial: "vec4<f32>" } };
  const items = `params.rows * ${blocks}u`;
  if (lanes === 1) {
    const code = body("i", "0u", (sum) => `partial[i] = ${sum};`);
    return {
      ...bindings,
      workgroups: grid(ceilDiv(sizes.rows * blocks, 64)),
      code: perThread(64, `  if (i >= ${items}) { return; }${code}`),
    };
  }
  const code = body(
    "item",
    "lane",
    (sum) => `let total = fold(${sum}, lane);
  if (lane == 0u) { partial[item] = total; }`,
  );
  return {
    ...bindings,
    workgroups: grid(sizes.rows * blocks),
    code: workgroupFold("fold", lanes, "vec4f") + perWorkgroup(lanes, items, code),
  };
}

/** partial → the result of `body` on a row's `sums` (a·b, a·a, b·b), the row being `i`. */
export function foldPass(
  sizes: PairSizes,
  tiling: PairTiling,
  bindings: Pick<Pass, "read" | "write">,
  body: string,
): Pass {
  const blocks = blocksOf(sizes, tiling);
  return {
    label: "fold",
    read: { partial: "vec4<f32>", ...bindings.read },
    write: bindings.write,
    workgroups: grid(ceilDiv(sizes.rows, 64)),
    code: perThread(
      64,
      /* wgsl */ `
  if (i >= params.rows) { return; }
  var sums = vec4f();
  for (var block = 0u; block < ${blocks}u; block++) { sums += partial[i * ${blocks}u + block]; }
${body}`,
    ),
  };
}
