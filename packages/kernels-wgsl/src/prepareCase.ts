/** From a kernel's case to a call and the numbers that go in, for tests and benchmarks alike. */
import type { Call, Case, CaseInput, Kernel, ReferenceValues } from "./kernel.ts";
import { pack, unpack } from "./pack.ts";
import { type DType, type Shape, sizeOf, spec, type TensorSpec } from "./spec.ts";

/** Elements of tensors by their names. */
export type CaseValues = Record<string, ReferenceValues>;

/**
 * The call of a case and seeded values of its inputs, rounded to what their types store, so that reference and device see
 * the same.
 *
 * @throws ShapeError where the kernel's shape rule refuses the case
 */
export function prepareCase(
  kernel: Kernel,
  example: Pick<Case, "inputs" | "attrs">,
  seed = 1,
): { call: Call; values: CaseValues } {
  const uniform = uniformGenerator(seed);
  const values: CaseValues = {};
  for (const name of kernel.inputs) {
    const given = example.inputs[name];
    if (given === undefined) continue;
    const { shape, dtype = "f32", fill } = caseInput(given);
    const draw = drawing(dtype, uniform);
    const raw = new Float64Array(sizeOf(shape));
    for (let index = 0; index < raw.length; index++) raw[index] = fill ? fill(index, uniform) : draw();
    values[name] = new Float64Array(unpack(pack(raw, dtype).buffer as ArrayBuffer, dtype, raw.length));
  }
  return { call: caseCall(kernel, example), values };
}

/**
 * The call of a case, without values.
 *
 * @throws ShapeError where the kernel's shape rule refuses the case
 */
export function caseCall(kernel: Kernel, example: Pick<Case, "inputs" | "attrs">): Call {
  const inputs: Record<string, TensorSpec> = {};
  for (const name of kernel.inputs) {
    const given = example.inputs[name];
    if (given === undefined) continue;
    const { shape, dtype = "f32" } = caseInput(given);
    inputs[name] = spec(shape, dtype);
  }
  return { inputs, attrs: example.attrs, ...kernel.infer(inputs, example.attrs) };
}

const caseInput = (given: CaseInput | Shape): CaseInput =>
  Array.isArray(given) ? { shape: given as Shape } : (given as CaseInput);

/** The default `fill` of a case: standard normal floats, integers 0…9, a fair coin. */
function drawing(dtype: DType, uniform: () => number): () => number {
  if (dtype === "bool") return () => (uniform() < 0.5 ? 0 : 1);
  if (dtype === "i32" || dtype === "u32") return () => Math.floor(10 * uniform());
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Uniform numbers in [0, 1) from a seed, by a Weyl sequence and a mixing of its bits (Mulberry32). */
export function uniformGenerator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}
