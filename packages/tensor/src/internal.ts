/**
 * Engine internals for the sibling packages: the steps of optimisers, contiguous variables, the bytes behind
 * values, the progress of recording. These names may change without notice.
 */
import type { Device } from "./device/device.ts";
import type { PipelineCache } from "./device/pipelines.ts";
import type { AnyTensor, AnyVariable, Node } from "./tensor.ts";

export { tuningStore } from "#tuningStore";
export { checkList, checkTensor, describeArgument } from "./arguments.ts";
export { drawOnce, isRecomputing } from "./autograd/draws.ts";
export { contiguousZeros, flattenParameters, heldBytes } from "./contiguous.ts";
export { environment } from "./device/adapter.ts";
export { adapterName } from "./device/capabilities.ts";
export { allOrNone } from "./memory.ts";
export * from "./ops/optim.ts";
export { checkOptions } from "./options.ts";
export { bufferBytes, sharedBytes } from "./planBytes.ts";
export { nodesBehind } from "./program/program.ts";
export { recordView } from "./record.ts";
export { isTracing, type Node, swap } from "./tensor.ts";
export type { TuningStore } from "./tuning/store.ts";
export type { Tuning } from "./tuning/table.ts";

/** The recorded operation that a tensor comes from; undefined where its elements are in a buffer, or are an argument. */
export const nodeOf = (tensor: AnyTensor): Node | undefined =>
  tensor.source.kind === "node" ? tensor.source.node : undefined;

/** How often a variable has been written: it changes with every evaluation that assigns. */
export const writeCount = (variable: AnyVariable): number => variable.storage.version;

/** Whether a value waits to be written to a variable by the next evaluation. */
export const isPending = (variable: AnyVariable): boolean => variable.pending;

/** Whether a recorded value waits to be written to a variable. */
export const isRecorded = (variable: AnyVariable): boolean =>
  variable.pending && variable.source.kind === "node";

/** Forgets the values that were recorded for a variable and not evaluated. */
export const takeBack = (variable: AnyVariable): void => variable.reset();

/** Returns unused buffers to the adapter. */
export const trimBuffers = (device: Device): void => device.buffers.trim();

/** Throws the first failure of a device since its creation, if any. */
export const throwFailure = (device: Device): void => device.throwFailure();

/** The compiled shaders of a device. */
export const pipelinesOf = (device: Device): PipelineCache => device.pipelines;

/** Throws LimitError where one tensor of so many bytes is larger than the adapter can bind. */
export const checkSize = (device: Device, bytes: number, what: string): void => device.checkSize(bytes, what);
export { checkShape } from "./values.ts";
