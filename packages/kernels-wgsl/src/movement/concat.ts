/** Joins two to seven tensors along one axis; all other extents are equal. Its gradients are slices. */
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, type Shape, show, sizeOf, spec, storageType, type TensorSpec } from "../spec.ts";
import { quotient, uniform } from "../uniform.ts";

/** Attributes of `concat`: the axis along which the tensors are joined, from 0 on. */
export interface ConcatAttrs {
  /** The axis along which the inputs follow each other, from 0. */
  readonly axis: number;
}

/** The tensors in their order. A pass may bind eight buffers, and the result is one of them. */
const names = ["a", "b", "c", "d", "e", "f", "g"] as const;
type Name = (typeof names)[number];

/** Most tensors that one call of `concat` joins. */
export const maxConcatInputs = names.length;

/** An operand as rows `[outer, length]`; a row of `y` is a row of each operand, one behind the other. */
const rowOf = (shape: Shape, axis: number): number => sizeOf(shape.slice(axis));

/** The operands that a call has. */
const given = (inputs: Readonly<Partial<Record<Name, TensorSpec>>>): [Name, TensorSpec][] =>
  names.flatMap((name) => (inputs[name] ? [[name, inputs[name]]] : []));

/** Inputs a, b … of one type, alike but for that axis; output y, whose extent there is the sum of theirs. */
export const concat = defineKernel({
  name: "concat",
  inputs: names,
  optional: ["c", "d", "e", "f", "g"],
  outputs: ["y"],
  params: {
    sizeA: "u32",
    sizeB: "u32",
    sizeC: "u32",
    sizeD: "u32",
    sizeE: "u32",
    sizeF: "u32",
    sizeG: "u32",
  },
  infer(inputs, { axis }: ConcatAttrs) {
    const { a } = inputs;
    check(
      Number.isInteger(axis) && axis >= 0 && axis < a.shape.length,
      "concat",
      () => `axis ${axis} is outside of a ${show(a.shape)}.`,
    );
    const operands = given(inputs);
    for (const [name, { dtype, shape }] of operands) {
      check(
        dtype === a.dtype,
        "concat",
        () => `a is ${a.dtype} but ${name} is ${dtype}; cast one of them first.`,
      );
      check(
        shape.length === a.shape.length &&
          a.shape.every((extent, other) => other === axis || extent === shape[other]),
        "concat",
        () => `a ${show(a.shape)} and ${name} ${show(shape)} may differ in axis ${axis} only.`,
      );
    }
    const total = operands.reduce((sum, [, { shape }]) => sum + shape[axis]!, 0);
    const size = (name: Name): number => (inputs[name] ? sizeOf(inputs[name].shape) : 0);
    return {
      outputs: { y: spec(a.shape.with(axis, total), a.dtype) },
      params: {
        sizeA: size("a"),
        sizeB: size("b"),
        sizeC: size("c"),
        sizeD: size("d"),
        sizeE: size("e"),
        sizeF: size("f"),
        sizeG: size("g"),
      },
    };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs, outputs, attrs: { axis } }) {
        const operands = given(inputs).filter(([, { shape }]) => sizeOf(shape) > 0);
        const rows = operands.map(([, { shape }]) => rowOf(shape, axis));
        const width = rows.every((row) => row % 4 === 0) ? 4 : 1;
        const scalar = storageType(inputs.a.dtype);
        const element = width === 4 ? `vec4<${scalar}>` : scalar;
        const total = rowOf(outputs.y.shape, axis) / width;
        const sizes = operands.map(([name]) => `params.size${name.toUpperCase()} / ${width}u`);
        let before = 0;
        const moves = operands.map(([operand, { shape }], k) => {
          const [name, length] = [`row${k}`, rows[k]! / width];
          const row = uniform(name, length);
          const line = quotient("i", name, length, sizeOf(shape) / width);
          // i % row + line · total + before, where i % row is i − line · row.
          const place = `i + ${line} * (${uniform("total", total)} - ${row}) + ${uniform(`before${k}`, before)}`;
          before += rows[k]! / width;
          return `    if (i < ${sizes[k]}) { y[${place}] = ${operand}[i]; }`;
        });
        return [
          {
            read: Object.fromEntries(operands.map(([name]) => [name, element])),
            write: { y: element },
            // A thread moves one unit of each operand: cheaper than deciding for every unit of y whose it is.
            ...gridStride(
              caps,
              Math.max(0, ...operands.map(([, { shape }]) => sizeOf(shape))) / width,
              sizes.reduce((most, size) => `max(${most}, ${size})`, "0u"),
              `\n${moves.join("\n")}`,
            ),
          },
        ];
      },
    },
  ],
  reference(values, { inputs, outputs, attrs: { axis } }) {
    const y = new Float64Array(sizeOf(outputs.y.shape));
    const total = rowOf(outputs.y.shape, axis);
    let before = 0;
    for (const [name, { shape }] of given(inputs)) {
      const row = rowOf(shape, axis);
      for (let from = 0, to = before; from < values[name].length; from += row, to += total)
        y.set(values[name].subarray(from, from + row), to);
      before += row;
    }
    return { y };
  },
  cost: ({ outputs }) => ({ flops: 0, bytes: 2 * bytesOf(outputs.y) }),
  cases: [
    { name: "one element each", inputs: { a: [1], b: [1] }, attrs: { axis: 0 }, tolerance: 0 },
    { name: "first axis", inputs: { a: [2, 3, 5], b: [4, 3, 5] }, attrs: { axis: 0 }, tolerance: 0 },
    { name: "middle axis, odd", inputs: { a: [3, 7, 5], b: [3, 2, 5] }, attrs: { axis: 1 }, tolerance: 0 },
    { name: "a of no rows", inputs: { a: [0, 3], b: [1, 3] }, attrs: { axis: 0 }, tolerance: 0 },
    { name: "no elements", inputs: { a: [0, 3], b: [0, 2] }, attrs: { axis: 1 }, tolerance: 0 },
    {
      name: "seven, odd",
      inputs: { a: [3, 1], b: [3, 5], c: [3, 0], d: [3, 2], e: [3, 3], f: [3, 7], g: [3, 4] },
      attrs: { axis: 1 },
      tolerance: 0,
    },
    {
      name: "three, by four",
      inputs: { a: [3, 8], b: [3, 4], c: [3, 12] },
      attrs: { axis: 1 },
      tolerance: 0,
    },
    { name: "channels, odd", inputs: { a: [2, 5, 3, 7], b: [2, 5, 3, 9] }, attrs: { axis: 3 }, tolerance: 0 },
    {
      name: "channels, by four",
      inputs: { a: [1, 5, 3, 8], b: [1, 5, 3, 4] },
      attrs: { axis: 3 },
      tolerance: 0,
    },
    {
      name: "u32",
      inputs: { a: { shape: [3, 2], dtype: "u32" }, b: { shape: [3, 5], dtype: "u32" } },
      attrs: { axis: 1 },
    },
    {
      name: "bool",
      inputs: { a: { shape: [4], dtype: "bool" }, b: { shape: [8], dtype: "bool" } },
      attrs: { axis: 0 },
    },
    {
      name: "f16",
      inputs: { a: { shape: [3, 3], dtype: "f16" }, b: { shape: [3, 2], dtype: "f16" } },
      attrs: { axis: 1 },
      tolerance: 0,
    },
    {
      name: "skip connection",
      inputs: { a: [2, 32, 32, 64], b: [2, 32, 32, 64] },
      attrs: { axis: 3 },
      tolerance: 0,
      bench: true,
    },
    {
      name: "large skip connection",
      inputs: { a: [4, 128, 128, 64], b: [4, 128, 128, 64] },
      attrs: { axis: 3 },
      bench: true,
      benchOnly: true,
    },
  ],
  refusals: [
    {
      inputs: { a: [2, 3], b: { shape: [2, 3], dtype: "i32" } },
      attrs: { axis: 0 },
      message: /concat: a is f32 but b is i32; cast one of them first/,
    },
    {
      inputs: { a: [2, 3], b: [2, 3] },
      attrs: { axis: 2 },
      message: /concat: axis 2 is outside of a \[2, 3\]/,
    },
    {
      inputs: { a: [2, 3], b: [3, 3] },
      attrs: { axis: 1 },
      message: /concat: a \[2, 3\] and b \[3, 3\] may differ in axis 1 only/,
    },
  ],
});
