/**
 * Compiling ahead, for drivers that compile a pipeline when it is first dispatched, on the one thread of the queue: Mesa's lavapipe.
 * Each new pipeline runs one workgroup on buffers of a few bytes before the program that needs it. Devices of their own take a share:
 * they have other threads, and what they compile is in the driver's cache on disk when the pipeline runs on the device that matters.
 */
import { availableParallelism } from "node:os";
import type { Shader } from "@ddad/kernels-wgsl";
import type { AdapterOptions } from "./adapter.ts";
import { PipelineCache } from "./pipelines.ts";

/** A pipeline that has not run yet. */
export interface NewPipeline {
  readonly label: string;
  readonly shader: Shader;
  readonly pipeline: GPUComputePipeline;
  /** The uniform struct of its first dispatch, so that every loop ends as it does there. */
  readonly uniform: ArrayBuffer | undefined;
}

/** The device that will run them, and how to get another one like it. */
export interface Host {
  readonly gpu: GPUDevice;
  readonly pipelines: PipelineCache;
  another(): Promise<GPUDevice>;
}

/**
 * `open` where a device opened by it can compile for the one on the adapter of this name: lavapipe compiles late and keeps what it compiled
 * on disk. Without bounds checks a workgroup on small buffers would write to the memory of others.
 */
export const anotherDevice = (
  name: string,
  { toggles = [] }: Pick<AdapterOptions, "toggles">,
  open: () => Promise<GPUDevice>,
): (() => Promise<GPUDevice>) | undefined =>
  /llvmpipe/i.test(name) && !toggles.some((flag) => flag.includes("disable_robustness")) ? open : undefined;

/** More devices than this are of no use: the host has other work, too. */
const mostHelpers = 3;
/** Milliseconds within which a pipeline has run that the driver found in its cache. Opening another device takes longer. */
const cachedTime = 25;

/**
 * Runs each pipeline once, the largest first, on as many devices as there are processors. There is one device until a pipeline takes
 * its time: where the driver has them all in its cache, others would only do everything twice.
 *
 * @param onCompiled called with the number of those that have run
 */
export async function compileAhead(
  host: Host,
  pipelines: readonly NewPipeline[],
  onCompiled: (done: number) => void,
): Promise<void> {
  const queue = pipelines.toSorted((a, b) => a.shader.code.length - b.shader.code.length);
  let done = 0;
  const work = async (run: (next: NewPipeline) => Promise<void>): Promise<void> => {
    for (let next = queue.pop(); next; next = queue.pop()) {
      await run(next);
      onCompiled(++done);
    }
  };
  const cached = !/^(1|y|yes|t|true)$/i.test(process.env["MESA_SHADER_CACHE_DISABLE"] ?? "");
  const count = cached ? Math.min(mostHelpers, availableParallelism() - 1) : 0;
  let helpers: Promise<void>[] | undefined;
  await work(async (next) => {
    const late = setTimeout(() => {
      helpers ??= Array.from({ length: count }, () => help(host, work));
    }, cachedTime);
    try {
      await runOnce(host.gpu, host.pipelines.layout(next.shader), next.pipeline, next);
    } finally {
      clearTimeout(late);
    }
  });
  await Promise.all(helpers ?? []);
}

/** A share of the work by a device of its own. Where there is none, or it fails, the pipelines are compiled when they run. */
async function help(
  host: Host,
  work: (run: (next: NewPipeline) => Promise<void>) => Promise<void>,
): Promise<void> {
  const gpu = await host.another().catch(() => undefined);
  if (!gpu) return;
  try {
    const pipelines = new PipelineCache(gpu);
    await work(async (next) => {
      const pipeline = await pipelines.pipeline(next.shader, next.label);
      await runOnce(gpu, pipelines.layout(next.shader), pipeline, next);
    });
  } catch {
    // What is wrong with a pipeline shows on the device that runs it.
  } finally {
    gpu.destroy();
  }
}

/** Larger than any element; what lies outside is clamped to the buffer. */
const bufferBytes = 256;

/** One workgroup on zeros. */
async function runOnce(
  gpu: GPUDevice,
  layout: GPUBindGroupLayout,
  pipeline: GPUComputePipeline,
  { shader, uniform }: NewPipeline,
): Promise<void> {
  const buffers = shader.bindings.map(() =>
    gpu.createBuffer({ size: bufferBytes, usage: GPUBufferUsage.STORAGE }),
  );
  if (shader.uniform && uniform) {
    const buffer = gpu.createBuffer({
      size: uniform.byteLength,
      usage: GPUBufferUsage.UNIFORM,
      mappedAtCreation: true,
    });
    new Uint8Array(buffer.getMappedRange()).set(new Uint8Array(uniform));
    buffer.unmap();
    buffers.push(buffer);
  }
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const encoder = gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, gpu.createBindGroup({ layout, entries }));
  pass.dispatchWorkgroups(1);
  pass.end();
  gpu.queue.submit([encoder.finish()]);
  await gpu.queue.onSubmittedWorkDone();
  for (const buffer of buffers) buffer.destroy();
}
