/** Sizes, checks and operand layouts of attention and its gradient. */
import { check, checkFloat } from "../errors.ts";
import { elementsFor } from "../matmul/product.ts";
import { type DType, type Shape, sameShape, show, spec, type TensorSpec } from "../spec.ts";

/** Attributes of `attention` and its gradient, packed or not. */
export interface AttentionAttrs {
  /** Multiplies the logits q·k; 1/√D in most networks. */
  readonly scale: number;
  /** Whether query t sees the keys 0 … t only. Left out where it does not. */
  readonly causal?: boolean;
}

/** The uniform struct of the attention kernels. */
export const attentionParams = {
  images: "u32",
  queries: "u32",
  keys: "u32",
  heads: "u32",
  /** Loads that a row of D numbers takes. */
  columns: "u32",
  scale: "f32",
} as const;

export interface AttentionSizes {
  readonly images: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  readonly dimension: number;
  readonly causal?: boolean | undefined;
}

/** The tokens that an operand belongs to. */
export type Side = "queries" | "keys";

/** An operand [N, tokens, heads, parts, D], of which it is one part: a row of D numbers for each token of a head. */
export interface Rows {
  /** Its binding. */
  readonly name: string;
  readonly side: Side;
  readonly parts: number;
  readonly part: number;
}

/** What the operands mean to the formulas, whatever tensors they lie in. */
export type Role =
  | "query"
  | "key"
  | "value"
  | "y"
  | "gradient"
  | "queryGradient"
  | "keyGradient"
  | "valueGradient";

/** Everything that decides the code of a pass. */
export interface AttentionLayout extends AttentionSizes {
  /** Type of all operands; sums, weights and statistics are f32 whatever it is. */
  readonly dtype: DType;
  readonly rows: Readonly<Record<Role, Rows>>;
}

const whole = (name: Role, side: Side): Rows => ({ name, side, parts: 1, part: 0 });

const separateRows: AttentionLayout["rows"] = {
  query: whole("query", "queries"),
  key: whole("key", "keys"),
  value: whole("value", "keys"),
  y: whole("y", "queries"),
  gradient: whole("gradient", "queries"),
  queryGradient: whole("queryGradient", "queries"),
  keyGradient: whole("keyGradient", "keys"),
  valueGradient: whole("valueGradient", "keys"),
};

const third = (name: string, side: Side, part: number): Rows => ({ name, side, parts: 3, part });

const packedRows: AttentionLayout["rows"] = {
  ...separateRows,
  query: third("qkv", "queries", 0),
  key: third("qkv", "keys", 1),
  value: third("qkv", "keys", 2),
  queryGradient: third("qkvGradient", "queries", 0),
  keyGradient: third("qkvGradient", "keys", 1),
  valueGradient: third("qkvGradient", "keys", 2),
};

/** WGSL: which row of its tensor is that of a token of a head. */
export const rowOf = ({ side, parts, part }: Rows, image: string, token: string, head: string): string => {
  const row = `((${image} * params.${side} + ${token}) * params.heads + ${head})`;
  return parts === 1 ? row : `(${row} * ${parts}u + ${part}u)`;
};

/** The largest D: a thread keeps whole rows in registers. */
const largestDimension = 256;

export type SeparateInputs = Readonly<Record<"query" | "key" | "value", TensorSpec>>;

/** query [N, T, heads, D], key and value [N, S, heads, D]. */
export function separateLayout(
  op: string,
  { query, key, value }: SeparateInputs,
  { causal }: AttentionAttrs,
): AttentionLayout {
  for (const [name, { dtype, shape }] of Object.entries({ query, key, value })) {
    checkFloat(op, name, dtype);
    check(dtype === query.dtype, op, () => `${name} must be ${query.dtype} as query is, but is ${dtype}.`);
    check(shape.length === 4, op, () => `${name} must be [N, T, heads, D] but is ${show(shape)}.`);
  }
  const [images, queries, heads, dimension] = query.shape as [number, number, number, number];
  const keys = key.shape[1]!;
  check(
    sameShape(key.shape, [images, keys, heads, dimension]),
    op,
    () => `key must have the N, heads and D of query ${show(query.shape)}, but is ${show(key.shape)}.`,
  );
  check(
    sameShape(value.shape, key.shape),
    op,
    () => `value must have the shape of key ${show(key.shape)}, but is ${show(value.shape)}.`,
  );
  check(keys >= 1, op, () => `key ${show(key.shape)} has no tokens to attend to.`);
  checkDimension(op, "query", query.shape, dimension);
  return { images, queries, keys, heads, dimension, causal, dtype: query.dtype, rows: separateRows };
}

export type PackedInputs = Readonly<Record<"qkv", TensorSpec>>;

/** qkv [N, T, heads, 3·D]: q, k and v of a head behind one another. */
export function packedLayout(op: string, { qkv }: PackedInputs, { causal }: AttentionAttrs): AttentionLayout {
  const { dtype, shape } = qkv;
  checkFloat(op, "qkv", dtype);
  check(
    shape.length === 4 && shape[3]! % 3 === 0,
    op,
    () => `qkv must be [N, T, heads, 3·D] but is ${show(shape)}.`,
  );
  const [images, tokens, heads, width] = shape as [number, number, number, number];
  check(tokens >= 1, op, () => `qkv ${show(shape)} has no tokens to attend to.`);
  checkDimension(op, "qkv", shape, width / 3);
  const sizes = { images, queries: tokens, keys: tokens, heads, dimension: width / 3, causal };
  return { ...sizes, dtype, rows: packedRows };
}

function checkDimension(op: string, name: string, shape: Shape, dimension: number): void {
  check(
    dimension <= largestDimension,
    op,
    () => `D of ${name} ${show(shape)} is more than ${largestDimension}; use more heads.`,
  );
}

/** Outputs of the forward pass: y [N, T, heads, D], and the logarithm of the softmax's denominator [N, heads, T]. */
export const forwardOutputs = ({ images, queries, heads, dimension, dtype }: AttentionLayout) => ({
  y: spec([images, queries, heads, dimension], dtype),
  logSumExp: spec([images, heads, queries]),
});

/** Checks the inputs of the gradient other than the operands. */
export function checkForwardOutputs(
  op: string,
  layout: AttentionLayout,
  inputs: Readonly<Record<"y" | "logSumExp" | "gradient", TensorSpec>>,
): void {
  const { y, logSumExp } = forwardOutputs(layout);
  for (const [input, { shape, dtype }] of Object.entries({ y, logSumExp, gradient: y })) {
    const given = inputs[input as keyof typeof inputs];
    check(
      given.dtype === dtype,
      op,
      () => `${input} must be ${dtype} beside a query of ${y.dtype}, but is ${given.dtype}; cast it first.`,
    );
    check(
      sameShape(given.shape, shape),
      op,
      () => `${input} must be ${show(shape)} for query ${show(y.shape)}, but is ${show(given.shape)}.`,
    );
  }
}

/** WGSL type of one load once it is read: four numbers where they divide D evenly. */
export const loadType = ({ dimension }: AttentionSizes): string => elementsFor(dimension);

/** The same as it is stored. */
export const storedType = ({ dimension, dtype }: AttentionLayout): string => elementsFor(dimension, dtype);

/** Bindings of a pass on tiles. */
export interface TileBindings {
  readonly label?: string;
  /** Operands. */
  readonly read: readonly Role[];
  readonly write: readonly Role[];
  /** Other bindings: a number for each query. */
  readonly statistics: { readonly read?: readonly string[]; readonly write?: readonly string[] };
}

/** Bindings of f32. */
export const floats = (names: readonly string[] = []): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, "f32"]));

/** Bindings of operands and their types. */
export const bindingsOf = (layout: AttentionLayout, roles: readonly Role[]): Record<string, string> =>
  Object.fromEntries(roles.map((role) => [layout.rows[role].name, storedType(layout)]));

/** The uniform struct's values. */
export const attentionValues = (sizes: AttentionSizes, { scale }: AttentionAttrs) => ({
  images: sizes.images,
  queries: sizes.queries,
  keys: sizes.keys,
  heads: sizes.heads,
  columns: sizes.dimension / (loadType(sizes) === "f32" ? 1 : 4),
  scale,
});

/** Floating-point operations of forward, and of the gradient if nothing is computed twice. */
export const forwardFlops = (sizes: AttentionSizes): number => pairsOf(sizes) * (4 * sizes.dimension + 4);
export const gradientFlops = (sizes: AttentionSizes): number => pairsOf(sizes) * (10 * sizes.dimension + 5);

/** Queries and the keys that they see. */
function pairsOf({ images, heads, queries, keys, causal }: AttentionSizes): number {
  const seeing = Math.min(queries, keys);
  const pairs = causal ? (seeing * (seeing + 1)) / 2 + (queries - seeing) * keys : queries * keys;
  return images * heads * pairs;
}
