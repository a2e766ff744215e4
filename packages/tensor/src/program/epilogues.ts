/** Fusion of products with the elementwise call that alone reads them: a residual's addition, a shift, another gradient. */
import {
  type Call,
  type Epilogue,
  type Expression,
  elementwise,
  isFloat,
  type Kernel,
  maxEpilogueInputs,
  type Ref,
  sizeOf,
  type TensorSpec,
} from "@ddad/kernels-wgsl";
import type { Program, ProgramCall, ValueId } from "./program.ts";

/** Longer expressions would only hold registers that the product needs. */
const maxSteps = 16;

/** A pure function: an equivalent program with fewer calls. A product moves to the place of what is fused into it. */
export function fuseEpilogues(program: Program): Program {
  const { calls } = program;
  const producer = new Map<ValueId, number>();
  /** How often each value is read. A product that is read twice, or under two shapes, must be stored. */
  const reads = new Map<ValueId, number>();
  calls.forEach((call, index) => {
    for (const id of Object.values(call.outputs)) producer.set(id, index);
    for (const id of Object.values(call.inputs)) reads.set(id, (reads.get(id) ?? 0) + 1);
  });
  const kept = new Set([...program.results, ...program.assignments.map(([value]) => value)]);
  const moved = new Set<number>();
  const fused = calls.map((call) => {
    if (call.kernel.name !== elementwise.name) return call;
    const candidates = Object.entries(call.inputs)
      .map(([name, id]) => ({ name: name as Ref, id, at: producer.get(id) ?? -1 }))
      .filter(({ id, at }) => at >= 0 && reads.get(id) === 1 && !kept.has(id) && !moved.has(at))
      .sort((a, b) => b.at - a.at);
    for (const { name, at } of candidates) {
      const merged = mergeEpilogue(calls[at]!, call, name);
      if (!merged) continue;
      moved.add(at);
      return merged;
    }
    return call;
  });
  return { ...program, calls: fused.filter((_, index) => !moved.has(index)) };
}

/** The product with the elementwise call done before it is stored; undefined where that cannot be. */
function mergeEpilogue(product: ProgramCall, call: ProgramCall, name: Ref): ProgramCall | undefined {
  const output = product.kernel.epilogue;
  if (output === undefined) return undefined;
  const { expression } = call.call.attrs as { expression: Expression };
  const result = call.call.outputs["y"]!;
  const own = product.call.outputs[output]!;
  const fits =
    product.outputs[output] === call.inputs[name] &&
    !(product.call.attrs as { epilogue?: Epilogue }).epilogue &&
    expression.inputs <= maxEpilogueInputs &&
    expression.steps.length <= maxSteps &&
    isFloat(result.dtype) &&
    // Repeated by broadcasting, an element would be computed more than once.
    sizeOf(own.shape) === sizeOf(result.shape);
  if (!fits) return undefined;
  const epilogue: Epilogue = { expression, product: name as Epilogue["product"], shape: result.shape };
  const others = <T>(entries: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(entries).filter(([input]) => input !== name));
  const inputs: Record<string, TensorSpec> = { ...product.call.inputs, ...others(call.call.inputs) };
  const attrs = { ...(product.call.attrs as object), epilogue };
  const inference = (product.kernel as Kernel).infer(inputs, attrs);
  const merged: Call = { inputs, attrs, ...inference };
  return {
    kernel: product.kernel,
    call: merged,
    inputs: { ...product.inputs, ...others(call.inputs) },
    outputs: { [output]: call.outputs["y"]! },
    constants: call.constants,
  };
}
