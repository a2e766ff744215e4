/** Runs a recorded program on the host with the kernels' f64 references: the slow definition of what it computes. */
import { captureProgram, type Program } from "../src/program/program.ts";
import type { Tensor } from "../src/tensor.ts";

/** Values of all targets for these values of the leaves, in f64. */
export function interpret(
  program: Program,
  targets: readonly number[],
  leaves: readonly Float64Array[],
): Float64Array[] {
  const values: Float64Array[] = [...leaves];
  for (const { kernel, call, inputs, outputs } of program.calls) {
    const given = Object.fromEntries(Object.entries(inputs).map(([name, id]) => [name, values[id]!]));
    const made = kernel.reference(given, call);
    for (const [name, id] of Object.entries(outputs)) values[id] = made[name]!;
  }
  return targets.map((id) => values[id]!);
}

/** The program behind some tensors and the values of its leaves, ready to be changed and interpreted. */
export async function captureWithValues(targets: readonly Tensor[]) {
  const { program, leaves, targets: ids } = captureProgram(targets);
  const values = await Promise.all(leaves.map(async (leaf) => Float64Array.from(await leaf.data())));
  return {
    program,
    leaves,
    values,
    run: (changed: readonly Float64Array[]) => interpret(program, ids, changed),
  };
}

type Run = (values: readonly Float64Array[]) => Float64Array[];

/** Central difference of a scalar target towards element `index` of leaf `leaf`. */
export function centralDifference(
  run: Run,
  values: readonly Float64Array[],
  leaf: number,
  index: number,
  step = 1e-4,
): number {
  const direction = new Float64Array(values[leaf]!.length);
  direction[index] = 1;
  return directionalDifference(run, values, leaf, direction, step);
}

/** The same along a direction, in which every element of the leaf takes part. */
export function directionalDifference(
  run: Run,
  values: readonly Float64Array[],
  leaf: number,
  direction: Float64Array,
  step = 1e-4,
): number {
  const at = (delta: number): number => {
    const changed = values.map((value, k) =>
      k === leaf ? value.map((element, index) => element + delta * direction[index]!) : value,
    );
    return run(changed)[0]![0]!;
  };
  return (at(step) - at(-step)) / (2 * step);
}
