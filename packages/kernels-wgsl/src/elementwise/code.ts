/** WGSL of an expression for one element, or four neighbours, of its result. */
import { type DType, type Shape, sizeOf, storageType, type TensorSpec } from "../spec.ts";
import { quotient, remainder, uniform } from "../uniform.ts";
import { type BroadcastLoop, broadcastLoops } from "./broadcast.ts";
import { type Expression, type Ref, typesOf } from "./expression.ts";
import { declareFunctions } from "./functions.ts";
import { elementwiseTable } from "./table.ts";

/** Declarations, statements and result of an expression in a shader. */
export interface ExpressionCode {
  /** Bindings of the inputs that are read from storage, and their WGSL types. */
  readonly read: Readonly<Record<string, string>>;
  /** Statements that see `i`, the flat index of the result in units of `width`. */
  readonly lines: readonly string[];
  /** The result as it is stored. */
  readonly result: string;
  /** Functions that the statements call. */
  readonly prelude: string;
}

/** A constant in the type of a register, from its bits in the uniform struct. */
function constantCode(ref: Ref, type: string): string {
  if (type === "u32") return `params.${ref}`;
  return type === "bool" ? `params.${ref} != 0u` : `bitcast<${type}>(params.${ref})`;
}

/** Sources of an expression's values other than storage and the uniform struct. */
export interface ExpressionSources {
  /** Inputs that the shader holds already: WGSL of their element, or four of them, as f32. */
  readonly given?: Readonly<Partial<Record<Ref, string>>>;
}

/** Four elements per step: the innermost loop divides by 4, and every operand is contiguous or constant along it. */
export function fitsVectors(output: Shape, inputs: readonly Shape[]): boolean {
  const loops = broadcastLoops(output, inputs);
  const inner = loops.at(-1);
  if (!inner || inner.extent % 4) return false;
  return inner.strides.every(
    (stride, k) => stride === 0 || loops.slice(0, -1).every((loop) => loop.strides[k]! % 4 === 0),
  );
}

/** Type in a register: float16 is computed in f32. */
const registerType = (dtype: DType): string => (dtype === "f16" ? "f32" : dtype);

/** @param inputs in the order of the expression, broadcast to `output` */
export function expressionCode(
  expression: Expression,
  inputs: readonly TensorSpec[],
  output: TensorSpec,
  width: 1 | 4,
  { given = {} }: ExpressionSources = {},
): ExpressionCode {
  const loops = broadcastLoops(
    output.shape,
    inputs.map(({ shape }) => shape),
  );
  const inner = loops.at(-1);
  const wide = (scalar: string) => (width === 4 ? `vec4<${scalar}>` : scalar);
  const vector = (k: number) => width === 4 && inner!.strides[k] === 1;
  const lines = indexLines(loops, width, sizeOf(output.shape));
  const read: Record<string, string> = {};
  inputs.forEach(({ dtype }, k) => {
    const type = wide(registerType(dtype));
    const held = given[`in${k}`];
    if (held !== undefined) {
      lines.push(`let v_in${k} = ${type}(${held});`);
      return;
    }
    read[`in${k}`] = vector(k) ? `vec4<${storageType(dtype)}>` : storageType(dtype);
    const element = `in${k}[${indexOf(loops, k, vector(k))}]`;
    if (dtype === "bool") {
      lines.push(`let v_in${k} = ${type}(${element} != ${vector(k) ? "vec4<u32>(0u)" : "0u"});`);
      return;
    }
    // What is repeated is converted before: no vector is made of a scalar of another type.
    const repeated = width === 4 && !vector(k) && dtype === "f16";
    lines.push(`let v_in${k} = ${type}(${repeated ? `f32(${element})` : element});`);
  });
  const types = typesOf(
    expression,
    inputs.map(({ dtype }) => dtype),
  );
  expression.steps.forEach(({ op, args }, index) => {
    const operand = registerType(types[index]!.operand);
    const operands = args.map((ref) =>
      ref.startsWith("c") ? `${wide(operand)}(${constantCode(ref, operand)})` : `v_${ref}`,
    );
    // f16 beside f32 is f32, as all f16 is in a register.
    const registers = { operand: wide(operand), result: wide(registerType(types[index]!.result)) };
    lines.push(`let v_s${index} = ${elementwiseTable[op].wgsl(operands, registers)};`);
  });
  const last = `v_s${expression.steps.length - 1}`;
  const result =
    output.dtype === "bool"
      ? `select(${wide("u32")}(0u), ${wide("u32")}(1u), ${last})`
      : `${wide(storageType(output.dtype))}(${last})`;
  return { read, lines, result, prelude: declareFunctions(lines.join("\n"), width) };
}

/** `d0 …`: position along each loop, in units of `width` along the innermost. */
function indexLines(loops: readonly BroadcastLoop[], width: number, size: number): string[] {
  if (loops.length < 2) return [];
  const lines: string[] = [];
  let rest = "i";
  let most = size / width;
  for (let k = loops.length - 1; k > 0; k--) {
    const extent = k === loops.length - 1 ? loops[k]!.extent / width : loops[k]!.extent;
    const name = `extent${k}`;
    lines.push(
      `let r${k} = ${quotient(rest, name, extent, most)};`,
      `let d${k} = ${remainder(rest, `r${k}`, name, extent)};`,
    );
    rest = `r${k}`;
    most /= extent;
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
    return [k === loops.length - 1 ? `d${k}` : `d${k} * ${uniform(`stride${operand}_${k}`, stride / unit)}`];
  });
  return terms.join(" + ") || "0u";
}
