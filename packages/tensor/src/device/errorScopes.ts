/** Maps WebGPU's errors to the library's, as rejections where they occur. */
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
 * `popScopes` reports what WebGPU refuses of the calls since this one. Scopes nest: who awaits something in between must have
 * the device to himself.
 */
export function pushScopes(gpu: GPUDevice): void {
  gpu.pushErrorScope("out-of-memory");
  gpu.pushErrorScope("validation");
}

/** The refusal, out-of-memory before its consequences. A lost device refuses nothing here: the loss is reported elsewhere. */
export async function popScopes(gpu: GPUDevice): Promise<Error | undefined> {
  const answer = () => gpu.popErrorScope().catch(() => null);
  const [validation, memory] = await Promise.all([answer(), answer()]);
  const refusal = memory ?? validation;
  return refusal ? toError(refusal) : undefined;
}

/** Runs `work` in error scopes, so that WebGPU's refusals reject here. */
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
