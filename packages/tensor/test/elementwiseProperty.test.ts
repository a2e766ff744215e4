/**
 * Ten thousand random elementwise programs: any operation in any type on any constants (±∞, NaN, −0, 1e20, 1e39, the ends of the
 * integers), alone, fused with another and behind a product. Each equals its f64 reference or is refused with a sentence.
 */
import {
  type DType,
  dtypeProblem,
  type ElementwiseName,
  type Expression,
  elementwiseTable,
  evaluateExpression,
  isFloat,
  type Ref,
  typesOf,
  uniformGenerator,
} from "@ddad/kernels-wgsl";
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { testDevice } from "./device.hooks.ts";

const draws = 10_000;
/** Elements of each tensor. */
const size = 8;

const uniform = uniformGenerator(20);
const pick = <T>(list: readonly T[]): T => list[Math.floor(uniform() * list.length)]!;

const floats = [Infinity, -Infinity, Number.NaN, -0, 0, 1, -1, 0.5, -2, 3, 1e-3, 1e20, -1e20, 3.4e38];
const integers = [-(2 ** 31), 2 ** 31 - 1, -1, 0, 1, 2, 7, -7, 16777217, 100000];
const unsigned = [0, 1, 2, 3, 31, 16777217, 2 ** 31, 2 ** 32 - 1];
const elements: Readonly<Record<DType, readonly number[]>> = {
  f32: floats,
  f16: [Infinity, -Infinity, Number.NaN, -0, 0, 1, -1, 0.5, -2, 3, 65504, 0.125],
  i32: integers,
  u32: unsigned,
  bool: [0, 1],
};
/** As constants also what does not fit. */
const numbers = [...floats, ...integers, ...unsigned, 1e39, -1e39, 0.1, 2 ** 32, 65504];

/** Those that the hardware computes exactly or nearly so; the others are off by this much, relative or absolute. */
const loose: Partial<Record<ElementwiseName, number>> = {
  ...{
    sin: 1e-6,
    cos: 1e-6,
    tan: 1e-5,
    exp: 2e-5,
    exp2: 2e-5,
    expm1: 2e-5,
    pow: 1e-4,
    sinh: 2e-5,
    cosh: 2e-5,
  },
  ...{
    log: 2e-6,
    log2: 2e-6,
    log1p: 2e-6,
    asinh: 2e-6,
    acosh: 1e-5,
    atanh: 2e-6,
    erf: 2e-5,
    gelu: 2e-5,
    tanh: 2e-5,
  },
};
/** Beyond these arguments the angle is lost in f32. */
const periodic: ReadonlySet<ElementwiseName> = new Set(["sin", "cos", "tan"]);
/** Remainders are exact as long as the quotient fits into 24 bits. */
const remainder: ReadonlySet<ElementwiseName> = new Set(["mod", "fmod"]);

/** Operations that follow another one in a fused program: they keep errors as they are. */
const followers = ["neg", "abs", "maximum", "minimum", "relu", "isNaN", "isInf", "where"] as const;

const names = Object.keys(elementwiseTable) as ElementwiseName[];
const functions = t as unknown as Readonly<Record<string, (...operands: unknown[]) => t.AnyTensor>>;
const casts: Readonly<Record<string, DType>> = {
  toF32: "f32",
  toF16: "f16",
  toI32: "i32",
  toU32: "u32",
  toBool: "bool",
};

/** A tensor of these elements, as stored, and its values. */
interface Given {
  readonly tensor: t.AnyTensor;
  readonly values: readonly number[];
}

function draw(dtype: DType): Given {
  const values = Array.from({ length: size }, () => pick(elements[dtype]));
  const stored = isFloat(dtype) ? values.map((value) => Math.fround(value)) : values;
  return { tensor: t.tensor(values, [size], { dtype }), values: stored };
}

/** The result that f32 and f16 hold: overflow is infinite, and what is below their range may be 0. */
function within(got: number, expected: number, dtype: DType, tolerance: number): boolean {
  if (Object.is(got, expected) || got === expected) return true;
  if (Number.isNaN(expected) || Number.isNaN(got)) return Number.isNaN(expected) && Number.isNaN(got);
  if (!isFloat(dtype)) return false;
  const [largest, smallest, own] = dtype === "f16" ? [65504, 6.2e-5, 2e-3] : [3.4028235e38, 1.2e-38, 2e-6];
  const allowed = Math.max(own, tolerance);
  if (Math.abs(expected) > largest * (1 - allowed) && Math.abs(got) >= largest * (1 - 2 * allowed))
    return Math.sign(got) === Math.sign(expected);
  if (!Number.isFinite(expected) || !Number.isFinite(got)) return false;
  return Math.abs(got - expected) <= allowed * Math.max(Math.abs(expected), tolerance ? 1 : 0) + smallest;
}

interface Program {
  readonly text: string;
  readonly expression: Expression;
  readonly inputs: readonly Given[];
  readonly tensor: t.AnyTensor;
  readonly tolerance: number;
}

const dtypeOf = (op: ElementwiseName): DType => {
  const { typing } = elementwiseTable[op];
  if (typing === "logic") return "bool";
  if (typing === "integer") return pick(["i32", "u32"]);
  if (typing === "float" || typing === "test") return pick(["f32", "f32", "f16"]);
  return pick(["f32", "f32", "f16", "i32", "u32", "bool"]);
};

/** One operation on drawn operands, or the error that it is refused with. */
function drawProgram(): Program | { readonly refusal: unknown; readonly text: string } {
  const op = pick(names);
  const dtype = dtypeOf(op);
  const { arity, typing } = elementwiseTable[op];
  const given: Given[] = [];
  const constants: number[] = [];
  const input = (of: DType): Ref => `in${given.push(draw(of)) - 1}`;
  const args = Array.from({ length: arity }, (_, k): Ref => {
    if (typing === "select" && k === 0) return input("bool");
    // One operand at least is a tensor.
    const number =
      arity > 1 && uniform() < 0.5 && (k < arity - 1 || given.length > (typing === "select" ? 1 : 0));
    return number ? `c${constants.push(pick(numbers)) - 1}` : input(dtype);
  });
  const operands = args.map((ref) =>
    ref.startsWith("c") ? constants[Number(ref.slice(1))]! : given[Number(ref.slice(2))]!.tensor,
  );
  const text = `${op}(${args.map((ref, k) => (ref.startsWith("c") ? operands[k] : `${given[Number(ref.slice(2))]!.tensor.dtype} ${given[Number(ref.slice(2))]!.values}`)).join("; ")})`;
  try {
    // Behind a product with a 1, in whose store the operation then runs; 0 has no sign there.
    const signless = given.every(({ values }) => values.every((value) => !Object.is(value, -0)));
    const behind = uniform() < 0.5 && dtype === "f32" && typing !== "select" && signless;
    const through = operands.map((operand) =>
      behind && operand instanceof t.Tensor && operand === operands.find((other) => other instanceof t.Tensor)
        ? t.reshape(t.matmul(t.reshape(operand as t.Tensor, [size, 1]), t.ones([1, 1])), [size])
        : operand,
    );
    const target = casts[op];
    const first = target ? t.cast(operands[0] as t.AnyTensor, target) : functions[op]!(...through);
    return follow({
      text,
      expression: { inputs: given.length, constants, steps: [{ op, args }] },
      inputs: given,
      tensor: first,
      tolerance: loose[op] ?? 0,
    });
  } catch (refusal) {
    return { refusal, text };
  }
}

/** Half of them with a second operation, which fuses with the first. */
function follow(program: Program): Program {
  const { expression, inputs, tensor } = program;
  const op = pick(followers);
  const fits =
    op === "isNaN" || op === "isInf"
      ? isFloat(tensor.dtype)
      : tensor.dtype !== "bool" && tensor.dtype !== "u32";
  if (uniform() < 0.5 || !fits) return program;
  const number = pick(elements[tensor.dtype]);
  const two = op === "maximum" || op === "minimum";
  const mask = op === "where" ? draw("bool") : undefined;
  const constant: Ref = `c${expression.constants.length}`;
  const args: Ref[] = mask ? [`in${inputs.length}`, "s0", constant] : two ? ["s0", constant] : ["s0"];
  const operands = mask ? [mask.tensor, tensor, number] : two ? [tensor, number] : [tensor];
  return {
    ...program,
    text: `${op} of ${program.text}`,
    expression: {
      inputs: expression.inputs + (mask ? 1 : 0),
      constants: two || mask ? [...expression.constants, number] : expression.constants,
      steps: [...expression.steps, { op, args }],
    },
    inputs: mask ? [...inputs, mask] : inputs,
    tensor: functions[op]!(...operands),
  };
}

/** Whether f32 can answer at all: not the sine of 1e20, nor the remainder of a quotient of 30 digits. */
function answerable({ expression, inputs }: Program, element: number): boolean {
  const { op, args } = expression.steps[0]!;
  const [a = 0, b = 1] = args.map((ref) =>
    ref.startsWith("c")
      ? expression.constants[Number(ref.slice(1))]!
      : inputs[Number(ref.slice(2))]!.values[element]!,
  );
  if (periodic.has(op)) return Math.abs(a) < 100 || !Number.isFinite(a);
  return !(remainder.has(op) && Number.isFinite(a) && Math.abs(a / b) > 2 ** 22 && b !== 0);
}

/** The f64 reference with numbers rounded as f32 holds them; undefined where it is a matter of fusion whether f16 overflows. */
function reference({ expression, inputs }: Program, element: number): number | undefined {
  const values = inputs.map(({ values: all }) => all[element]!);
  const dtypes = inputs.map(({ tensor: { dtype } }) => dtype);
  const types = typesOf(expression, dtypes);
  const constants = expression.constants.map((value) =>
    types.some(({ operand }) => isFloat(operand)) ? Math.fround(value) : value,
  );
  const [first, second] = expression.steps;
  const one = evaluateExpression({ ...expression, constants, steps: [first!] }, types, values);
  if (!second) return one;
  const { result } = types[0]!;
  if (result === "f16" && Number.isFinite(one) && Math.abs(one) > 65504) return undefined;
  const args = second.args.map((ref): Ref => (ref === "s0" ? `in${values.length}` : ref));
  const next: Expression = { inputs: values.length + 1, constants, steps: [{ op: second.op, args }] };
  const rounded = isFloat(result) ? Math.fround(one) : one;
  return evaluateExpression(next, typesOf(next, [...dtypes, result]), [...values, rounded]);
}

it(`${draws} random programs equal their reference or are refused with a sentence`, async function () {
  if (!testDevice().capabilities.f16) {
    console.log("    skipped: this adapter has no shader-f16");
    this.skip();
  }
  let refused = 0;
  const wrong: string[] = [];
  for (let start = 0; start < draws; start += 50) {
    const programs: Program[] = [];
    for (let k = 0; k < 50; k++) {
      const drawn = drawProgram();
      if (!("refusal" in drawn)) {
        programs.push(drawn);
        continue;
      }
      refused++;
      expect(drawn.refusal, drawn.text).to.be.instanceOf(t.ShapeError);
      expect((drawn.refusal as Error).message, drawn.text).to.match(/^\w+: .+\.$/);
    }
    for (const program of programs) {
      const { inputs, tensor, tolerance, text } = program;
      const got = await tensor.data();
      for (let index = 0; index < size; index++) {
        if (!answerable(program, index)) continue;
        const expected = reference(program, index);
        if (expected === undefined || within(got[index]!, expected, tensor.dtype, tolerance)) continue;
        wrong.push(`${text}, element ${index}: got ${got[index]}, expected ${expected}`);
      }
      for (const given of inputs) given.tensor.dispose();
      tensor.dispose();
    }
    if (wrong.length > 20) break;
  }
  expect(wrong, wrong.slice(0, 20).join("\n")).to.have.length(0);
  // Constants that do not fit into integers are a good part of all draws.
  expect(refused).to.be.within(draws / 50, draws / 2);
  expect(dtypeProblem(1e39, "f32")).to.be.a("string");
});
