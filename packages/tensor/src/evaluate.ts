/** `evaluate`: from recorded tensors to buffers full of numbers. */
import { bytesOf, sizeOf, type TensorData, unpack } from "@ddad/kernels-wgsl";
import { debug } from "./debug.ts";
import { currentDevice, type Device } from "./device/device.ts";
import { popScopes, pushScopes, withErrors } from "./device/errorScopes.ts";
import type { Replay } from "./device/replay.ts";
import { Timing } from "./device/timing.ts";
import { copy } from "./ops/copy.ts";
import { replayOf } from "./plans.ts";
import { profiling } from "./profile.ts";
import { type Captured, captureProgram } from "./program/program.ts";
import { layoutVersion, type Region, Storage } from "./storage.ts";
import { type AnyTensor, type AnyVariable, resolve, storageOf, Tensor, Variable } from "./tensor.ts";
import { noteCalls } from "./tuning/collect.ts";

/** Computes the tensors and writes assigned variables into their buffers. Resolves once the work is submitted. */
export async function evaluate(...targets: readonly AnyTensor[]): Promise<void> {
  checkTensors("evaluate", targets);
  const device = currentDevice();
  await device.exclusively(() => evaluateNow(device, targets));
}

/** Throws TypeError where one of them is none. */
export function checkTensors(op: string, args: readonly unknown[]): void {
  for (const [index, arg] of args.entries()) {
    if (arg instanceof Tensor) continue;
    throw new TypeError(`${op}: argument ${index} must be a Tensor, but is ${describe(arg)}.`);
  }
}

/** A value in an error message: what JavaScript code passed for a tensor. */
function describe(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  const kind = value.constructor?.name;
  return Array.isArray(value)
    ? "an array: spread it"
    : `an object${kind && kind !== "Object" ? ` of class ${kind}` : ""}`;
}

/** `evaluate` for a caller that already has the device to itself. */
export async function evaluateNow(device: Device, targets: readonly AnyTensor[]): Promise<void> {
  device.throwFailure();
  const [tensors, variables] = pendingOf(targets);
  if (!tensors.length && !variables.length) return;
  for (;;) {
    const layout = layoutVersion();
    const captured = capture(tensors, variables);
    const replaced = variables.map(({ assigned }) => assigned);
    const replay = await replayOf(device, captured.program);
    const results = await resultsOf(device, replay);
    try {
      // Variables may have swapped their places meanwhile.
      if (layout !== layoutVersion()) continue;
      const leaves = captured.leaves.map((leaf) => storageOf(leaf, device));
      return await runReplay(device, replay, captured, {
        leaves,
        results,
        tensors,
        variables,
        replaced,
        written: replaced,
      });
    } finally {
      releaseAll(results);
    }
  }
}

/**
 * `evaluateNow` for what `tensors` stood for when `values` were taken of them by `resolve`. A variable that still stands for its value is
 * brought up to date.
 */
export function evaluateValues(
  device: Device,
  tensors: readonly AnyTensor[],
  values: readonly AnyTensor[],
): Promise<void> {
  return evaluateNow(
    device,
    tensors.map((tensor, index) => (resolve(tensor) === values[index] ? tensor : values[index]!)),
  );
}

/** The tensors to compute and the variables to overwrite. */
export function pendingOf(targets: readonly AnyTensor[]): [tensors: AnyTensor[], variables: AnyVariable[]] {
  const distinct = [...new Set(targets)];
  const variables = distinct.filter((target) => target instanceof Variable).filter(({ pending }) => pending);
  const assigned = new Set(variables.map(({ value }) => value));
  const tensors = [...new Set(targets.map(resolve))].filter(
    (tensor) => tensor.source.kind === "node" && !assigned.has(tensor),
  );
  return [tensors, variables];
}

/** The program that computes `tensors` and then overwrites `variables`. */
export function capture(tensors: readonly AnyTensor[], variables: readonly AnyVariable[]): Captured {
  // What stands in the storage of a variable may be overwritten before it is copied to another, or share its buffer, and WebGPU copies
  // nothing within a buffer.
  const safe = (value: AnyTensor): AnyTensor => {
    const { source } = viewed(value);
    return source.kind === "storage" && source.storage.owner ? copy(value) : value;
  };
  return captureProgram(
    tensors,
    variables.map(({ value, committed }) => ({ value: safe(value), leaf: committed })),
  );
}

/** The tensor whose elements a chain of views shows. */
function viewed(tensor: AnyTensor): AnyTensor {
  const { source } = tensor;
  return source.kind === "node" && !source.node.kernel ? viewed(source.node.inputs["x"]!) : tensor;
}

const checked = new WeakSet<Replay>();

/** Storage for the results of a replay, its memory confirmed. The caller releases it. */
export function resultsOf(device: Device, { plan }: Replay): Promise<Storage[]> {
  return device.buffers.obtain(
    () => plan.results.map((bytes) => Storage.own(device, bytes).retain()),
    releaseAll,
  );
}

export function releaseAll(storages: readonly Storage[]): void {
  for (const storage of storages) storage.release();
}

/** What a replay reads and what it changes. */
export interface Bound {
  readonly leaves: readonly Storage[];
  /** Of `resultsOf`. */
  readonly results: readonly Storage[];
  /** Bound to their results. */
  readonly tensors: readonly AnyTensor[];
  /** Committed. */
  readonly variables: readonly AnyVariable[];
  /** What was assigned to each of them when the program was captured. */
  readonly replaced: readonly (AnyTensor | undefined)[];
  /** The tensors whose elements they have afterwards, where there are such. */
  readonly written?: readonly (AnyTensor | undefined)[];
}

/** Runs a replay. */
export async function runReplay(
  device: Device,
  replay: Replay,
  { program, targets }: Pick<Captured, "program" | "targets">,
  { leaves, results, tensors, variables, replaced, written }: Bound,
): Promise<void> {
  device.throwFailure();
  noteCalls(replay.calls);
  const started = performance.now();
  const profile = profiling();
  const timing = profile ? new Timing(device.gpu, replay.dispatches) : undefined;
  const run = () =>
    replay.run(
      leaves.map(({ region }) => region),
      results.map(({ region }) => region),
      program.constants,
      timing,
    );
  if (checked.has(replay)) run();
  else await withErrors(device, run);
  checked.add(replay);
  tensors.forEach((tensor, index) => {
    const id = targets[index]!;
    tensor.materialize(id < program.leaves ? leaves[id]! : results[program.results.indexOf(id)]!);
  });
  for (const [index, variable] of variables.entries()) variable.commit(replaced[index], written?.[index]);
  debug(
    2,
    () => `${replay.dispatches} dispatches submitted in ${(performance.now() - started).toFixed(2)} ms`,
  );
  if (timing) profile!.push(...(await timing.read()));
  await device.backPressure();
  device.throwFailure();
}

/**
 * The elements, row-major, on the host: float32 for both float types, 0 and 1 for bool. A variable is read as it is at the moment of the
 * call.
 */
export async function readData(tensor: AnyTensor): Promise<TensorData> {
  const value = resolve(tensor);
  const device = currentDevice();
  // Its memory stays until it is read, also where the tensor is disposed of meanwhile.
  const kept = value.evaluated ? new Tensor(value, value.source) : value;
  const size = Math.max(4, Math.ceil(bytesOf(tensor) / 4) * 4);
  try {
    // Copied before the next evaluation, which may overwrite it. Nobody has to wait until it is here.
    const { staging, arrived } = await device.exclusively(async () => {
      await evaluateValues(device, [tensor], [value]);
      return copyToHost(device, storageOf(kept, device).region, size);
    });
    try {
      await arrived;
      return unpack(staging.getMappedRange(), tensor.dtype, sizeOf(tensor.shape));
    } finally {
      staging.destroy();
    }
  } finally {
    if (kept !== value) kept.dispose();
  }
}

/** Submits a copy into a buffer that the host can read; `arrived` resolves once it can, and rejects with the library's errors. */
function copyToHost(
  device: Device,
  { buffer, offset }: Region,
  size: number,
): { staging: GPUBuffer; arrived: Promise<void> } {
  const { gpu } = device;
  pushScopes(gpu);
  const staging = gpu.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  const encoder = gpu.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
  gpu.queue.submit([encoder.finish()]);
  const mapped = staging.mapAsync(GPUMapMode.READ).catch((reason: unknown) => reason);
  const arrived = Promise.all([popScopes(gpu), mapped]).then(([refusal, failure]) => {
    device.throwFailure();
    if (refusal ?? failure) throw refusal ?? failure;
  });
  return { staging, arrived };
}
