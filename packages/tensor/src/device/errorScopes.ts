/** What WebGPU refuses, as the library's errors, and as rejections at the place where it happens. */
import { OutOfMemoryError, ValidationError } from "../errors.ts";
import type { Device } from "./device.ts";

/** A WebGPU error as one of the library's. */
export function toError(error: GPUError): Error {
  if (typeof GPUOutOfMemoryError !== "undefined" && error instanceof GPUOutOfMemoryError) {
    return new OutOfMemoryError(
      `The adapter is out of memory: ${error.message} Use a smaller micro-batch or smaller images.`,
    );
  }
  return new ValidationError(`WebGPU refused an operation: ${error.message}`);
}

/**
 * What WebGPU refuses of the calls between this and `popScopes` is told there. Scopes nest: who awaits something in between must have
 * the device to himself.
 */
export function pushScopes(gpu: GPUDevice): void {
  gpu.pushErrorScope("out-of-memory");
  gpu.pushErrorScope("validation");
}

/** What was refused, lack of memory before what came of it. A lost device refuses nothing here: it says elsewhere that it is lost. */
export async function popScopes(gpu: GPUDevice): Promise<Error | undefined> {
  const answer = () => gpu.popErrorScope().catch(() => null);
  const [validation, memory] = await Promise.all([answer(), answer()]);
  const refusal = memory ?? validation;
  return refusal ? toError(refusal) : undefined;
}

/** Runs `work` in error scopes, so that what WebGPU refuses rejects here and not somewhere else. */
export async function withErrors<T>(device: Device, work: () => Promise<T> | T): Promise<T> {
  const { gpu } = device;
  pushScopes(gpu);
  let result: T | undefined;
  let thrown: unknown;
  try {
    result = await work();
  } catch (error) {
    thrown = error;
  }
  const refusal = await popScopes(gpu);
  await device.buffers.answered();
  device.throwFailure();
  if (refusal instanceof OutOfMemoryError) throw refusal;
  if (thrown) throw thrown;
  if (refusal) throw refusal;
  return result as T;
}
