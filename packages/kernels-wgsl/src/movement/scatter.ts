/**
 * Elements into places of their own along one axis, as torch.scatter: for axis 1 `y = x`, and then
 * `y[i, index[i, j, k], k] = source[i, j, k]` for all j in their order. So where indices repeat, the last one is kept, or all are
 * added, multiplied, or the largest or smallest is kept, x included. Deterministic: each element of y walks through its indices.
 * Negative indices count from the end; those outside are left out.
 */
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import {
  bytesOf,
  type DType,
  isFloat,
  type Shape,
  sameShape,
  show,
  sizeOf,
  spec,
  storageType,
  stridesOf,
  type TensorSpec,
} from "../spec.ts";
import { checkIndex, type RowAttrs, rowCode, rowOf } from "./rows.ts";
import { scatterCases, scatterRefusals } from "./scatterCases.ts";
import { checkAlong } from "./takeAlong.ts";
import { coordinatesOf, flatIndex, mergeAxes, walkOffset } from "./walk.ts";

/** How several elements for one place combine. */
export type ScatterReduce = "set" | "add" | "mul" | "max" | "min";

/** Attributes of `scatter`. */
export interface ScatterAttrs extends RowAttrs {
  /** How elements for one place combine with each other and with x. */
  readonly reduce: ScatterReduce;
  /** The shape of x where it is absent and counts as zeros. */
  readonly shape?: Shape;
}

/** On the host: NaN wins, as Math.max and Math.min have it. */
const combine: Readonly<Record<ScatterReduce, (value: number, given: number) => number>> = {
  set: (_value, given) => given,
  add: (value, given) => value + given,
  mul: (value, given) => value * given,
  max: Math.max,
  min: Math.min,
};

/** The same as a WGSL statement on `value` and `given`; shader compilers may assume that NaN does not occur, so it is detected by its bits. */
function combineCode(reduce: ScatterReduce, dtype: DType): string {
  if (reduce === "set") return "value = given;";
  if (reduce === "add") return "value += given;";
  if (reduce === "mul") return "value *= given;";
  const better = `given ${reduce === "max" ? ">" : "<"} value`;
  if (!isFloat(dtype)) return `if (${better}) { value = given; }`;
  const noNumber = (x: string) => `(bitcast<u32>(${x}) & 0x7fffffffu) > 0x7f800000u`;
  return `if (!(${noNumber("value")}) && ((${noNumber("given")}) || ${better})) { value = given; }`;
}

/** The input x, or its default where absent. */
const targetOf = (
  { x, source }: { readonly x: TensorSpec; readonly source: TensorSpec },
  { shape }: ScatterAttrs,
): TensorSpec => x ?? spec(shape ?? [], source?.dtype ?? "f32");

/** Inputs x (absent: zeros), index, and source of the index's shape (absent: zeros), of one type; output y like x. */
export const scatter = defineKernel({
  name: "scatter",
  inputs: ["x", "index", "source"],
  optional: ["x", "source"],
  outputs: ["y"],
  params: { size: "u32", rows: "u32" },
  infer(inputs, attrs: ScatterAttrs) {
    const { index, source } = inputs;
    const target = targetOf(inputs, attrs);
    check(
      Object.hasOwn(combine, attrs.reduce),
      "scatter",
      () => `reduce "${attrs.reduce}" is none of ${Object.keys(combine).slice(1).join(", ")}.`,
    );
    checkIndex("scatter", index);
    checkAlong("scatter", target.shape, index.shape, attrs.axis);
    if (source) {
      check(
        source.dtype === target.dtype,
        "scatter",
        () => `x is ${target.dtype} but source is ${source.dtype}; cast one of them first.`,
      );
      check(
        sameShape(source.shape, index.shape),
        "scatter",
        () => `source ${show(source.shape)} must have the shape of index ${show(index.shape)}.`,
      );
    }
    check(
      target.dtype !== "bool" || (attrs.reduce !== "add" && attrs.reduce !== "mul"),
      "scatter",
      () => `bool has no ${attrs.reduce === "add" ? "sum" : "product"}; use max or min, or cast it first.`,
    );
    return {
      outputs: { y: target },
      params: { size: sizeOf(target.shape), rows: target.shape[attrs.axis]! },
    };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs, outputs: { y }, attrs: { axis, reduce }, params }) {
        const { x, index, source } = inputs;
        const strides = stridesOf(index.shape);
        const others = mergeAxes(
          y.shape.map((extent, other) => ({ extent, stride: other === axis ? 0 : strides[other]! })),
        );
        const own = stridesOf(y.shape);
        const inside = y.shape.flatMap((extent, other) =>
          other === axis || index.shape[other] === extent
            ? []
            : [`i / ${own[other]}u % ${extent}u < ${index.shape[other]}u`],
        );
        const scalar = storageType(y.dtype);
        // f16 values are combined in f32: an f16 sum would lose the small terms.
        const total = y.dtype === "f16" ? "f32" : scalar;
        return [
          {
            read: {
              ...(x ? { x: scalar } : {}),
              index: index.dtype,
              ...(source ? { source: scalar } : {}),
            },
            write: { y: scalar },
            ...gridStride(
              caps,
              params.size,
              "params.size",
              /* wgsl */ `
    var value = ${x ? `${total}(x[i])` : `${total}(0)`};
    let own = i / ${own[axis]}u % params.rows;
    let first = ${walkOffset("i", others)};
    if (${inside.join(" && ") || "true"}) {
      for (var j = 0u; j < ${index.shape[axis]}u; j++) {
        let at = first + j * ${strides[axis]}u;
        ${rowCode(index, "at", "params.rows")}
        if (row == own) {
          let given = ${source ? `${total}(source[at])` : `${total}(0)`};
          ${combineCode(reduce, y.dtype)}
        }
      }
    }
    y[i] = ${scalar}(value);`,
            ),
          },
        ];
      },
    },
  ],
  reference({ x, index, source }, { inputs, outputs, attrs: { axis, reduce }, params: { rows } }) {
    const strides = stridesOf(outputs.y.shape);
    const y = x ? x.slice() : new Float64Array(sizeOf(outputs.y.shape));
    let i = 0;
    for (const at of coordinatesOf(inputs.index.shape)) {
      const row = rowOf(index[i]!, rows);
      const given = source ? source[i]! : 0;
      i++;
      if (row < 0) continue;
      const place = flatIndex(at.with(axis, row), strides);
      y[place] = combine[reduce](y[place]!, given);
    }
    return { y };
  },
  cost: ({ inputs: { x, index, source }, outputs }) => ({
    flops: sizeOf(index.shape),
    bytes: (x ? bytesOf(x) : 0) + bytesOf(index) + (source ? bytesOf(source) : 0) + bytesOf(outputs.y),
  }),
  cases: scatterCases,
  refusals: scatterRefusals,
});
