/**
 * Epilogues: an elementwise expression that runs on a product while its sums are still in registers, such as the addition of a
 * residual, so that the product is written once and not read again.
 */

import { expressionCode, fitsVectors } from "../elementwise/code.ts";
import { elementwise } from "../elementwise/elementwise.ts";
import { constantBits, type Expression, structureOf, typesOf } from "../elementwise/expression.ts";
import {
  type Call,
  type Case,
  defineKernel,
  type Inference,
  type Kernel,
  type ReferenceValues,
} from "../kernel.ts";
import { bytesOf, type Shape, sizeOf, spec, type TensorSpec } from "../spec.ts";

/** The expression that runs on a product before it is stored. */
export interface Epilogue {
  /** What is computed from the product before it is stored. */
  readonly expression: Expression;
  /** Which input of the expression is the product; the others are inputs of the kernel under their names. */
  readonly product: EpilogueInput;
  /** The product's elements under the shape with which the others are broadcast: of the same size. */
  readonly shape: Shape;
}

/** Attributes that every product may have. */
export interface EpilogueAttrs {
  readonly epilogue?: Epilogue | undefined;
}

const names = ["in0", "in1", "in2", "in3"] as const;

/** Inputs of the expression of an epilogue. A product reads two operands and a bias, and a pass may bind eight buffers. */
export type EpilogueInput = (typeof names)[number];
/** How many inputs an epilogue may have. */
export const maxEpilogueInputs = names.length;

/** An epilogue and what it reads, as the code of a product's store needs it. */
export interface EpilogueCode {
  /** Bindings and their WGSL types. */
  readonly read: Readonly<Record<string, string>>;
  /** Elements at a time. */
  readonly width: 1 | 4;
  readonly declarations: string;
}

/** What a call has of an epilogue, whatever its kernel. */
type EpilogueCall = {
  readonly inputs: Readonly<Partial<Record<string, TensorSpec>>>;
  readonly attrs: EpilogueAttrs;
};

/** Specs of the expression's inputs; the product counts as f32, which it is until it is stored. */
function inputsOf({ inputs, attrs }: EpilogueCall): TensorSpec[] {
  const { expression, product, shape } = attrs.epilogue!;
  return names.slice(0, expression.inputs).map((name) => (name === product ? spec(shape) : inputs[name]!));
}

/** The result (a float is stored as the product would have been) and the bits of the constants. */
function resultOf(call: EpilogueCall, own: TensorSpec): { output: TensorSpec; constants: number[] } {
  const { expression, product } = call.attrs.epilogue!;
  const dtypes = inputsOf(call).map(({ dtype }, k) => (`in${k}` === product ? own.dtype : dtype));
  const types = typesOf(expression, dtypes);
  return { output: spec(own.shape, types.at(-1)!.result), constants: constantBits(expression, types) };
}

/**
 * Declares `fn epilogue(i: u32, value: …)`: what becomes of the element, or of four neighbours, with the flat index `i` in units
 * of as many. Undefined where a call has none.
 */
export function epilogueCode(call: EpilogueCall, output: TensorSpec): EpilogueCode | undefined {
  const { epilogue } = call.attrs;
  if (!epilogue) return undefined;
  const { expression, product, shape } = epilogue;
  const inputs = inputsOf(call);
  const columns = output.shape.at(-1)!;
  const fits =
    columns % 4 === 0 &&
    fitsVectors(
      shape,
      inputs.map((input) => input.shape),
    );
  const width = fits ? 4 : 1;
  const { read, lines, result, prelude } = expressionCode(
    expression,
    inputs,
    spec(shape, output.dtype),
    width,
    { given: { [product]: "value" } },
  );
  const wide = (type: string) => (width === 4 ? `vec4<${type}>` : type);
  return {
    read,
    width,
    declarations: /* wgsl */ `${prelude}
fn epilogue(i: u32, value: ${wide("f32")}) -> ${wide(output.dtype)} {
  ${lines.join("\n  ")}
  return ${result};
}`,
  };
}

/** A product kernel that takes an epilogue on `output`. @param cases with epilogues */
export function withEpilogue<I extends string, O extends string, A extends EpilogueAttrs, P extends string>(
  kernel: Kernel<I, O, A, P>,
  output: O,
  cases: readonly Case<NoInfer<I> | EpilogueInput, NoInfer<A>>[],
): Kernel<I | EpilogueInput, O, A, P> {
  type Extended = Kernel<I | EpilogueInput, O, A, P>;
  return defineKernel<I | EpilogueInput, O, A, P>({
    ...(kernel as unknown as Extended),
    inputs: [...kernel.inputs, ...names],
    optional: [...(kernel.optional ?? []), ...names],
    epilogue: output,
    cases: [...(kernel.cases as unknown as Extended["cases"]), ...cases],
    structure: (attrs) => ({
      ...attrs,
      epilogue: attrs.epilogue && { ...attrs.epilogue, expression: structureOf(attrs.epilogue.expression) },
    }),
    infer(inputs, attrs): Inference<O, P> {
      const own = kernel.infer(inputs, attrs);
      if (!attrs.epilogue) return own;
      const { output: result, constants } = resultOf({ inputs, attrs }, own.outputs[output]);
      return { ...own, outputs: { ...own.outputs, [output]: result }, constants };
    },
    reference(values, call) {
      const own = kernel.reference(values, call as unknown as Call<I, O, A, P>);
      const { epilogue } = call.attrs;
      if (!epilogue) return own;
      const { expression, product, shape } = epilogue;
      const given: Record<string, ReferenceValues> = { ...values, [product]: own[output] };
      const specs = Object.fromEntries(inputsOf(call).map((input, k) => [`in${k}`, input]));
      const { y } = elementwise.reference(given as Parameters<typeof elementwise.reference>[0], {
        inputs: specs as Record<EpilogueInput | "in4" | "in5" | "in6", TensorSpec>,
        outputs: { y: spec(shape, call.outputs[output].dtype) },
        attrs: { expression },
        params: { count: 0 },
      });
      return { ...own, [output]: y };
    },
    cost(call) {
      const own = kernel.cost(call as unknown as Call<I, O, A, P>);
      const { epilogue } = call.attrs;
      if (!epilogue) return own;
      const extra = names.flatMap((name) => call.inputs[name] ?? []);
      return {
        flops: own.flops + epilogue.expression.steps.length * sizeOf(call.outputs[output].shape),
        bytes: extra.reduce((sum, input) => sum + bytesOf(input), own.bytes),
      };
    },
  });
}
