/** `planBytes`: the memory that a function would need, known before anything is compiled or run. */
import { bytesOf, type TensorSpec } from "@ddad/kernels-wgsl";
import { currentDevice } from "./device/device.ts";
import { capture, planFor } from "./evaluate.ts";
import { resolve, Tensor, trackAssignments, type Variable } from "./tensor.ts";

/** Bytes of buffers. */
export interface PlannedBytes {
  /** What the function reads: its arguments, and the variables and tensors that it uses. */
  readonly inputs: number;
  /** What it gives back; variables that it changes are changed in place. */
  readonly results: number;
  /** Buffers between its kernels. Plans of a device share them: of several only the largest counts. */
  readonly intermediates: number;
  /** The most that is alive at once between the kernels: the least that any plan could need. */
  readonly live: number;
}

/**
 * Plans one call of `fn`, as `compile` would run it, with arguments of these shapes and types.
 *
 * @param fn records operations, and may assign variables; their values stay what they are
 */
export function planBytes(
  fn: (...args: Tensor[]) => Tensor | undefined,
  args: readonly TensorSpec[],
): PlannedBytes {
  const placeholders = args.map((spec, index) => new Tensor(spec, { kind: "argument", index }));
  let assigned: readonly Variable[] = [];
  try {
    const traced = trackAssignments(() => fn(...placeholders));
    assigned = traced.assigned;
    const outputs = traced.result ? [resolve(traced.result)] : [];
    const { program } = capture(
      outputs.filter(({ source }) => source.kind === "node"),
      assigned,
    );
    const { plan } = planFor(currentDevice(), program);
    const sum = (bytes: readonly number[]) => bytes.reduce((total, size) => total + size, 0);
    return {
      inputs: sum(program.values.slice(0, program.leaves).map(bytesOf)),
      results: sum(plan.results),
      intermediates: sum(plan.slots),
      live: plan.liveBytes,
    };
  } finally {
    for (const variable of assigned) variable.reset();
  }
}
