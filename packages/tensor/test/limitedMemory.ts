/** A device that is out of memory, on any adapter. */
import type { Device } from "@ddad/tensor";

/**
 * Runs `work` while new buffers may come to no more than `bytes` together; destroying one makes room again. A larger one is asked of
 * the adapter as one that it has no memory for, so what follows is WebGPU's own answer.
 *
 * @returns undefined where this adapter has memory for the largest buffer there can be: nothing was run
 */
export async function withMemory<T>(
  { gpu }: Device,
  bytes: number,
  work: () => Promise<T>,
): Promise<{ readonly result: T } | undefined> {
  const create = gpu.createBuffer.bind(gpu);
  const impossible = (usage: number): GPUBuffer => create({ size: gpu.limits.maxBufferSize, usage });
  gpu.pushErrorScope("out-of-memory");
  impossible(GPUBufferUsage.STORAGE).destroy();
  if (!(await gpu.popErrorScope())) return undefined;
  let room = bytes;
  const value = (descriptor: GPUBufferDescriptor): GPUBuffer => {
    const { size, usage } = descriptor;
    if (size > room) return Object.defineProperty(impossible(usage), "size", { value: size });
    const buffer = create(descriptor);
    const destroy = buffer.destroy.bind(buffer);
    let taken = size;
    room -= size;
    buffer.destroy = () => {
      room += taken;
      taken = 0;
      return destroy();
    };
    return buffer;
  };
  Object.defineProperty(gpu, "createBuffer", { value, configurable: true });
  try {
    return { result: await work() };
  } finally {
    Reflect.deleteProperty(gpu, "createBuffer");
  }
}
