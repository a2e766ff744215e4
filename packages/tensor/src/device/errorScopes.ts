/** What WebGPU refuses, as rejections at the place where it happens. */
import { type Device, toError } from "./device.ts";

/** Runs `work` in error scopes, so that what WebGPU refuses rejects here and not somewhere else. */
export async function withErrors<T>(device: Device, work: () => Promise<T> | T): Promise<T> {
  const { gpu } = device;
  gpu.pushErrorScope("out-of-memory");
  gpu.pushErrorScope("validation");
  let result: T | undefined;
  let thrown: unknown;
  try {
    result = await work();
  } catch (error) {
    thrown = error;
  }
  const validation = await gpu.popErrorScope();
  const memory = await gpu.popErrorScope();
  device.throwFailure();
  if (memory) throw toError(memory);
  if (thrown) throw thrown;
  if (validation) throw toError(validation);
  return result as T;
}
