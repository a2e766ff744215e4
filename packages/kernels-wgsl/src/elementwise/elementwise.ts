/** Any chain of elementwise operations in one pass over its broadcast inputs: the shader is generated. */
import { check } from "../errors.ts";
import { type Call, defineKernel, grid, type ParamType, perThread } from "../kernel.ts";
import { bytesOf, ceilDiv, type DType, sizeOf, spec, storageType } from "../spec.ts";
import { type BroadcastLoop, broadcastLoops, broadcastShapes } from "./broadcast.ts";
import { elementwiseCases } from "./cases.ts";
import {
  type Expression,
  evaluateExpression,
  maxExpressionConstants,
  maxExpressionInputs,
  typesOf,
} from "./expression.ts";
import { elementwisePrelude, elementwiseTable } from "./table.ts";

/** Attributes of `elementwise`: what is computed for every element. */
export interface ElementwiseAttrs {
  readonly expression: Expression;
}

const inputNames = ["in0", "in1", "in2", "in3", "in4", "in5", "in6"] as const;
type Input = (typeof inputNames)[number];
type ElementwiseCall = Call<Input, "y", ElementwiseAttrs, string>;

const specsOf = ({ inputs }: Pick<ElementwiseCall, "inputs">) =>
  inputNames.map((name) => inputs[name]).filter((tensor) => tensor !== undefined);

const loopsOf = (call: ElementwiseCall): BroadcastLoop[] =>
  broadcastLoops(
    call.outputs.y.shape,
    specsOf(call).map(({ shape }) => shape),
  );

/** Four elements a thread: the innermost loop divides by 4 and every operand either walks it or stays. */
const vectorises = (call: ElementwiseCall): boolean => {
  const loops = loopsOf(call);
  const inner = loops.at(-1);
  if (!inner || inner.extent % 4) return false;
  return inner.strides.every(
    (stride, k) => stride === 0 || loops.slice(0, -1).every((loop) => loop.strides[k]! % 4 === 0),
  );
};

/** Type in a register: float16 is computed in f32. */
const registerType = (dtype: DType): string => (dtype === "f16" ? "f32" : dtype);

function shaderOf(call: ElementwiseCall, width: 1 | 4) {
  const { expression } = call.attrs;
  const tensors = specsOf(call);
  const loops = loopsOf(call);
  const inner = loops.at(-1);
  const wide = (scalar: string) => (width === 4 ? `vec4<${scalar}>` : scalar);
  const vector = (k: number) => width === 4 && inner!.strides[k] === 1;
  const lines = indexLines(loops, width);
  tensors.forEach(({ dtype }, k) => {
    const element = `in${k}[${indexOf(loops, k, vector(k))}]`;
    const loaded = dtype === "bool" ? `(${element} != ${vector(k) ? "vec4<u32>(0u)" : "0u"})` : element;
    const type = wide(registerType(dtype));
    lines.push(`let v_in${k} = ${type}(${loaded});`);
  });
  const types = typesOf(
    expression,
    tensors.map(({ dtype }) => dtype),
  );
  const typeOf = (ref: string): DType | undefined =>
    ref.startsWith("c")
      ? undefined
      : ref.startsWith("in")
        ? tensors[Number(ref.slice(2))]!.dtype
        : types[Number(ref.slice(1))];
  expression.steps.forEach(({ op, args }, index) => {
    const beside = args.map(typeOf).findLast((type) => type !== undefined) ?? types[index]!;
    const common = registerType(elementwiseTable[op].typing === "select" ? types[index]! : beside);
    const operands = args.map((ref) =>
      ref.startsWith("c") ? `${wide(common)}(${common}(params.${ref}))` : `v_${ref}`,
    );
    const type = wide(registerType(types[index]!));
    lines.push(`let v_s${index} = ${elementwiseTable[op].wgsl(operands, type)};`);
  });
  const { dtype } = call.outputs.y;
  const result = `v_s${expression.steps.length - 1}`;
  const stored =
    dtype === "bool"
      ? `select(${wide("u32")}(0u), ${wide("u32")}(1u), ${result})`
      : `${wide(storageType(dtype))}(${result})`;
  const count = sizeOf(call.outputs.y.shape) / width;
  const body = `  if (i >= params.count${width === 4 ? " / 4u" : ""}) { return; }\n  ${lines.join("\n  ")}\n  y[i] = ${stored};`;
  const prelude = /\b(power|erf_)/.test(body) ? elementwisePrelude(wide("f32")) : "";
  return {
    read: Object.fromEntries(
      tensors.map(({ dtype: type }, k) => [
        `in${k}`,
        vector(k) ? `vec4<${storageType(type)}>` : storageType(type),
      ]),
    ),
    write: { y: wide(storageType(dtype)) },
    workgroups: grid(ceilDiv(count, 64)),
    code: prelude + perThread(64, body),
  };
}

/** `d0 …`: position along each loop, in units of `width` along the innermost. */
function indexLines(loops: readonly BroadcastLoop[], width: number): string[] {
  if (loops.length < 2) return [];
  const lines: string[] = [];
  let rest = "i";
  for (let k = loops.length - 1; k > 0; k--) {
    const extent = k === loops.length - 1 ? loops[k]!.extent / width : loops[k]!.extent;
    lines.push(`let d${k} = ${rest} % ${extent}u;`, `let r${k} = ${rest} / ${extent}u;`);
    rest = `r${k}`;
  }
  lines.push(`let d0 = ${rest};`);
  return lines;
}

function indexOf(loops: readonly BroadcastLoop[], operand: number, vector: boolean): string {
  if (loops.length < 2) return loops[0]?.strides[operand] ? "i" : "0u";
  const unit = vector ? 4 : 1;
  const terms = loops.flatMap(({ strides }, k) => {
    const stride = strides[operand]!;
    if (!stride) return [];
    return [k === loops.length - 1 ? `d${k}` : `d${k} * ${stride / unit}u`];
  });
  return terms.join(" + ") || "0u";
}

const constants: readonly string[] = Array.from({ length: maxExpressionConstants }, (_, k) => `c${k}`);

const uniforms: Readonly<Record<string, ParamType>> = {
  count: "u32",
  ...Object.fromEntries(constants.map((name) => [name, "f32" as const])),
};

/** Inputs in0, in1, …, as many as the expression reads, broadcast together (NumPy's rules); output y of the common shape. */
export const elementwise = defineKernel({
  name: "elementwise",
  inputs: inputNames,
  optional: inputNames,
  outputs: ["y"],
  params: uniforms,
  infer(inputs, { expression }: ElementwiseAttrs) {
    const tensors = specsOf({ inputs });
    const name = expression.steps.at(-1)?.op ?? "elementwise";
    check(expression.inputs <= maxExpressionInputs, name, `takes at most ${maxExpressionInputs} inputs.`);
    check(
      expression.constants.length <= maxExpressionConstants,
      name,
      `takes at most ${maxExpressionConstants} constants.`,
    );
    check(
      tensors.length === expression.inputs,
      name,
      `needs ${expression.inputs} inputs but got ${tensors.length}.`,
    );
    const shape = broadcastShapes(
      name,
      tensors.map((tensor) => tensor.shape),
    );
    const dtype = typesOf(
      expression,
      tensors.map((tensor) => tensor.dtype),
    ).at(-1)!;
    const values = constants.map((constant, k) => [constant, expression.constants[k] ?? 0]);
    return {
      outputs: { y: spec(shape, dtype) },
      params: { count: sizeOf(shape), ...Object.fromEntries(values) },
    };
  },
  variants: [
    { name: "vector", when: (_caps, call) => vectorises(call), passes: (_caps, call) => [shaderOf(call, 4)] },
    { name: "scalar", passes: (_caps, call) => [shaderOf(call, 1)] },
  ],
  reference(values, call) {
    const tensors = specsOf(call);
    const loops = loopsOf(call);
    const operands = tensors.map((_, k) => values[inputNames[k]!]);
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
        operands.map((data, k) => data[at[k]!]!),
      );
    });
    return { y };
  },
  cost: (call) => ({
    flops: call.attrs.expression.steps.length * sizeOf(call.outputs.y.shape),
    bytes: specsOf(call).reduce((total, tensor) => total + bytesOf(tensor), bytesOf(call.outputs.y)),
  }),
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
  ],
});
