/** Pipelines as the engine makes them, watched from outside. */

/** One pipeline. */
export interface CompiledPipeline {
  /** `kernel/variant/pass` of its first use. */
  readonly label: string;
  /** Of its WGSL. */
  readonly bytes: number;
  /** Processor time until it ran for the first time, where it was compiled alone; else 0. */
  readonly ms: number;
}

/** Counts the pipelines that are made from now on. @returns what was made so far */
export function countPipelines(gpu: GPUDevice): () => readonly CompiledPipeline[] {
  const sources = rememberSources(gpu);
  const made: CompiledPipeline[] = [];
  const create = gpu.createComputePipelineAsync.bind(gpu);
  gpu.createComputePipelineAsync = (descriptor) => {
    made.push({
      label: descriptor.label ?? "",
      bytes: sources.get(descriptor.compute.module)?.length ?? 0,
      ms: 0,
    });
    return create(descriptor);
  };
  return () => made;
}

/**
 * The same, and each is compiled while nothing else is, and runs one workgroup on buffers of a few bytes: many drivers compile when a
 * pipeline is first dispatched.
 */
export function compilePipelinesAlone(gpu: GPUDevice): () => readonly CompiledPipeline[] {
  const sources = rememberSources(gpu);
  const made: CompiledPipeline[] = [];
  const create = gpu.createComputePipelineAsync.bind(gpu);
  const layouts = new Map<GPUBindGroupLayout, readonly GPUBindGroupLayoutEntry[]>();
  const createLayout = gpu.createBindGroupLayout.bind(gpu);
  gpu.createBindGroupLayout = (descriptor) => {
    const layout = createLayout(descriptor);
    layouts.set(layout, [...descriptor.entries]);
    return layout;
  };
  const bindGroups = new Map<GPUPipelineLayout, GPUBindGroupLayout>();
  const createPipelineLayout = gpu.createPipelineLayout.bind(gpu);
  gpu.createPipelineLayout = (descriptor) => {
    const layout = createPipelineLayout(descriptor);
    const [only] = descriptor.bindGroupLayouts;
    bindGroups.set(layout, only as GPUBindGroupLayout);
    return layout;
  };
  let last: Promise<unknown> = Promise.resolve();
  gpu.createComputePipelineAsync = (descriptor) => {
    const compiled = last.then(async () => {
      const before = cpuMs();
      const pipeline = await create(descriptor);
      const layout = bindGroups.get(descriptor.layout as GPUPipelineLayout)!;
      runOnce(gpu, pipeline, layout, layouts.get(layout)!);
      await gpu.queue.onSubmittedWorkDone();
      made.push({
        label: descriptor.label ?? "",
        bytes: sources.get(descriptor.compute.module)?.length ?? 0,
        ms: cpuMs() - before,
      });
      return pipeline;
    });
    last = compiled.catch(() => undefined);
    return compiled;
  };
  return () => made;
}

/** Processor time of this process so far: compilers run in it. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function rememberSources(gpu: GPUDevice): Map<GPUShaderModule, string> {
  const sources = new Map<GPUShaderModule, string>();
  const create = gpu.createShaderModule.bind(gpu);
  gpu.createShaderModule = (descriptor) => {
    const module = create(descriptor);
    sources.set(module, descriptor.code);
    return module;
  };
  return sources;
}

/** One workgroup on zeros, with all numbers 1, so that every loop ends. Loads and stores outside are the driver's to bound. */
function runOnce(
  gpu: GPUDevice,
  pipeline: GPUComputePipeline,
  layout: GPUBindGroupLayout,
  entries: readonly GPUBindGroupLayoutEntry[],
): void {
  const buffers = entries.map(({ buffer }) => {
    const uniform = buffer?.type === "uniform";
    const made = gpu.createBuffer({
      size: 256,
      usage: uniform ? GPUBufferUsage.UNIFORM : GPUBufferUsage.STORAGE,
      mappedAtCreation: uniform,
    });
    if (uniform) {
      new Uint32Array(made.getMappedRange()).fill(1);
      made.unmap();
    }
    return made;
  });
  const group = gpu.createBindGroup({
    layout,
    entries: entries.map(({ binding }, index) => ({ binding, resource: { buffer: buffers[index]! } })),
  });
  const encoder = gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(1);
  pass.end();
  gpu.queue.submit([encoder.finish()]);
}
