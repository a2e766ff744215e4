/** `planBytes`: predicts the memory of a function without compiling or running it. */
import { bytesOf, type TensorSpec } from "@ddad/kernels-wgsl";
import { roundUp } from "./device/buffers.ts";
import { currentDevice } from "./device/device.ts";
import { capture } from "./evaluate.ts";
import { planFor } from "./plans.ts";
import { type AnyTensor, resolve, sandboxed, Tensor } from "./tensor.ts";

/** Bytes of buffers. */
export interface PlannedBytes {
  /** What the function reads: its arguments, and the variables and tensors that it uses. */
  readonly inputs: number;
  /** What it gives back; variables that it changes are changed in place. */
  readonly results: number;
  /** Buffers between its kernels. Plans of a device share them: `sharedBytes` gives the total of several. */
  readonly intermediates: number;
  /** Each of these buffers. */
  readonly slots: readonly number[];
  /** The most that is alive at once between the kernels: the least that any plan could need. */
  readonly live: number;
  /** The largest tensor that a kernel binds: at most `currentDevice().largestTensor` can run. */
  readonly largest: number;
}

/**
 * Plans one call of `fn`, as `compile` would run it, with arguments of these shapes and types.
 *
 * @param fn records operations, and may assign variables; their values stay what they are
 */
export function planBytes<A extends readonly Tensor[]>(
  fn: (...args: A) => AnyTensor | undefined,
  args: readonly TensorSpec[],
): PlannedBytes;
/** The same for arguments of which some are integers or bool. */
export function planBytes<A extends readonly AnyTensor[]>(
  fn: (...args: A) => AnyTensor | undefined,
  args: readonly TensorSpec[],
): PlannedBytes;
export function planBytes<A extends readonly AnyTensor[]>(
  fn: (...args: A) => AnyTensor | undefined,
  args: readonly TensorSpec[],
): PlannedBytes {
  const placeholders = args.map((spec, index) => new Tensor(spec, { kind: "argument", index }));
  const program = sandboxed((assigned) => {
    const result = fn(...(placeholders as readonly AnyTensor[] as A));
    const outputs = result ? [resolve(result)] : [];
    const recorded = outputs.filter(({ source }) => source.kind === "node");
    return capture(recorded, assigned()).program;
  });
  const { plan, lowered } = planFor(currentDevice(), program);
  const bound = lowered.dispatches.flatMap(({ values }) => values);
  const sum = (bytes: readonly number[]) => bytes.reduce((total, size) => total + size, 0);
  return {
    inputs: sum(program.values.slice(0, program.leaves).map(bytesOf)),
    results: sum(plan.results),
    intermediates: sum(plan.slots),
    slots: plan.slots,
    live: plan.liveBytes,
    largest: bound.reduce((most, id) => Math.max(most, lowered.bytes[id]!), 0),
  };
}

/**
 * Bytes that plans take together for their intermediates, as the device hands buffers out: in sizes of its own, each serving every
 * plan in turn. It is what `memory().plannedPeakBytes` comes to once all of them have run, and nothing else has.
 */
export function sharedBytes(plans: readonly Pick<PlannedBytes, "slots">[]): number {
  const most = new Map<number, number>();
  for (const { slots } of plans) {
    const counts = new Map<number, number>();
    for (const bytes of slots) {
      const size = roundUp(bytes);
      const count = (counts.get(size) ?? 0) + 1;
      counts.set(size, count);
      most.set(size, Math.max(most.get(size) ?? 0, count));
    }
  }
  let total = 0;
  for (const [size, count] of most) total += size * count;
  return total;
}

/** Bytes of the buffer that a tensor of this shape and type has on the device. */
export const bufferBytes = (spec: TensorSpec): number => roundUp(bytesOf(spec));
