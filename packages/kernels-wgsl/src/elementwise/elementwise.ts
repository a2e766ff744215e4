/** Any chain of elementwise operations in one pass over its broadcast inputs: the shader is generated. */
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { type Call, type Capabilities, defineKernel, type Pass } from "../kernel.ts";
import { bytesOf, sizeOf, spec, storageType } from "../spec.ts";
import { type BroadcastLoop, broadcastLoops, broadcastShapes } from "./broadcast.ts";
import { elementwiseCases } from "./cases.ts";
import { expressionCode, fitsVectors } from "./code.ts";
import {
  constantBits,
  type Expression,
  evaluateExpression,
  maxExpressionConstants,
  maxExpressionInputs,
  structureOf,
  typesOf,
} from "./expression.ts";

/** Attributes of `elementwise`: what is computed for every element. */
export interface ElementwiseAttrs {
  /** The chain that is computed for each element. */
  readonly expression: Expression;
}

const inputNames = ["in0", "in1", "in2", "in3", "in4", "in5", "in6"] as const;
type Input = (typeof inputNames)[number];
type ElementwiseCall = Call<Input, "y", ElementwiseAttrs, "count">;

const specsOf = ({ inputs }: Pick<ElementwiseCall, "inputs">) =>
  inputNames.map((name) => inputs[name]).filter((tensor) => tensor !== undefined);

const loopsOf = (call: ElementwiseCall): BroadcastLoop[] =>
  broadcastLoops(
    call.outputs.y.shape,
    specsOf(call).map(({ shape }) => shape),
  );

/** Four elements a thread where the operands allow it. */
const vectorises = (call: ElementwiseCall): boolean =>
  fitsVectors(
    call.outputs.y.shape,
    specsOf(call).map(({ shape }) => shape),
  );

function passOf(caps: Capabilities, call: ElementwiseCall, width: 1 | 4): Pass {
  const { y } = call.outputs;
  const { read, lines, result, prelude } = expressionCode(call.attrs.expression, specsOf(call), y, width);
  const count = sizeOf(y.shape) / width;
  const body = `    ${lines.join("\n    ")}\n    y[i] = ${result};`;
  const { workgroups, code } = gridStride(caps, count, `params.count${width === 4 ? " / 4u" : ""}`, body);
  return {
    read,
    write: { y: width === 4 ? `vec4<${storageType(y.dtype)}>` : storageType(y.dtype) },
    workgroups,
    code: prelude + code,
  };
}

/** Inputs in0, in1, …, as many as the expression reads, broadcast together (NumPy's rules); output y of the common shape. */
export const elementwise = defineKernel({
  name: "elementwise",
  inputs: inputNames,
  optional: inputNames,
  outputs: ["y"],
  params: { count: "u32" },
  structure: ({ expression }: ElementwiseAttrs) => structureOf(expression),
  infer(inputs, { expression }: ElementwiseAttrs) {
    const tensors = specsOf({ inputs });
    const name = expression.steps.at(-1)?.op ?? "elementwise";
    check(
      expression.inputs <= maxExpressionInputs,
      name,
      () => `takes at most ${maxExpressionInputs} inputs.`,
    );
    check(
      expression.constants.length <= maxExpressionConstants,
      name,
      () => `takes at most ${maxExpressionConstants} constants.`,
    );
    check(
      tensors.length === expression.inputs,
      name,
      () => `needs ${expression.inputs} inputs but got ${tensors.length}.`,
    );
    const shape = broadcastShapes(
      name,
      tensors.map((tensor) => tensor.shape),
    );
    const types = typesOf(
      expression,
      tensors.map((tensor) => tensor.dtype),
    );
    return {
      outputs: { y: spec(shape, types.at(-1)!.result) },
      params: { count: sizeOf(shape) },
      constants: constantBits(expression, types),
    };
  },
  variants: [
    {
      name: "vector",
      when: (_caps, call) => vectorises(call),
      passes: (caps, call) => [passOf(caps, call, 4)],
    },
    { name: "scalar", passes: (caps, call) => [passOf(caps, call, 1)] },
  ],
  reference(values, call) {
    const tensors = specsOf(call);
    const loops = loopsOf(call);
    const operands = tensors.map((_, k) => values[inputNames[k]!]);
    const types = typesOf(
      call.attrs.expression,
      tensors.map(({ dtype }) => dtype),
    );
    const y = Float64Array.from({ length: sizeOf(call.outputs.y.shape) }, (_, index) => {
      let rest = index;
      const at = tensors.map(() => 0);
      for (const { extent, strides } of [...loops].reverse()) {
        const position = rest % extent;
        rest = Math.floor(rest / extent);
        strides.forEach((stride, k) => {
          at[k]! += position * stride;
        });
      }
      return evaluateExpression(
        call.attrs.expression,
        types,
        operands.map((data, k) => data[at[k]!]!),
      );
    });
    return { y };
  },
  cost: (call) => ({
    flops: call.attrs.expression.steps.length * sizeOf(call.outputs.y.shape),
    bytes: specsOf(call).reduce((total, tensor) => total + bytesOf(tensor), bytesOf(call.outputs.y)),
  }),
  tolerance: 2e-5,
  cases: elementwiseCases,
  refusals: [
    {
      inputs: { in0: [2, 3], in1: [2, 4] },
      attrs: { expression: { inputs: 2, constants: [], steps: [{ op: "add", args: ["in0", "in1"] }] } },
      message: /add: shapes \[2, 3\] and \[2, 4\] do not broadcast: axis -1 has 3 and 4/,
    },
    {
      inputs: { in0: [2], in1: { shape: [2], dtype: "i32" } },
      attrs: { expression: { inputs: 2, constants: [], steps: [{ op: "mul", args: ["in0", "in1"] }] } },
      message: /mul: operands are f32 and i32; cast one of them first/,
    },
    {
      inputs: { in0: { shape: [2], dtype: "u32" } },
      attrs: { expression: { inputs: 1, constants: [], steps: [{ op: "exp", args: ["in0"] }] } },
      message: /exp: needs float operands but got u32/,
    },
    ...(
      [
        [
          "i32",
          "add",
          0.5,
          /add: the number 0.5 does not fit into i32, which holds whole numbers from -2147483648/,
        ],
        ["u32", "add", -1, /add: the number -1 does not fit into u32/],
        ["i32", "equal", 2 ** 31, /equal: the number 2147483648 does not fit into i32/],
        ["f32", "minimum", 1e39, /minimum: the number 1e\+39 does not fit into f32/],
        ["i32", "mod", 0, /mod: an i32 cannot be divided by the number 0/],
        ["bool", "equal", 2, /equal: the number 2 does not fit into bool/],
      ] as const
    ).map(([dtype, op, number, message]) => ({
      inputs: { in0: { shape: [2], dtype } },
      attrs: {
        expression: { inputs: 1, constants: [number], steps: [{ op, args: ["in0", "c0"] as const }] },
      },
      message,
    })),
    {
      inputs: { in0: { shape: [2], dtype: "u32" } },
      attrs: { expression: { inputs: 1, constants: [], steps: [{ op: "neg", args: ["in0"] }] } },
      message: /neg: needs f32, f16 or i32 but got u32; cast it first/,
    },
  ],
});
