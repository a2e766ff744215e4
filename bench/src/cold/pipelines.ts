/** Pipelines as the engine makes them, watched from outside. */

/** One pipeline. */
export interface CompiledPipeline {
  /** `kernel/variant/pass` of its first use. */
  readonly label: string;
  /** Of its WGSL. */
  readonly bytes: number;
  /** Time until it ran for the first time, by the clock of {@link compilePipelinesAlone}; else 0. */
  readonly ms: number;
  /** Of that, until `createComputePipelineAsync` answered; else 0. */
  readonly createMs: number;
}

/** What is watched: one device, or `GPUDevice.prototype`, which is every device. */
type Watched = Pick<
  GPUDevice,
  "createShaderModule" | "createComputePipelineAsync" | "createBindGroupLayout" | "createPipelineLayout"
>;

/** Replaces a method by one that is given the device and the method as it was. */
function replace<Name extends keyof Watched>(
  target: Watched,
  name: Name,
  body: (
    device: GPUDevice,
    descriptor: Parameters<Watched[Name]>[0],
    before: (descriptor: Parameters<Watched[Name]>[0]) => ReturnType<Watched[Name]>,
  ) => ReturnType<Watched[Name]>,
): void {
  const original = target[name] as (this: GPUDevice, descriptor: unknown) => ReturnType<Watched[Name]>;
  const replaced = function (this: GPUDevice, descriptor: Parameters<Watched[Name]>[0]) {
    return body(this, descriptor, (given) => original.call(this, given));
  };
  Object.defineProperty(target, name, { value: replaced, configurable: true, writable: true });
}

/**
 * Counts the pipelines that are made from now on; of those with one source only the first.
 * @returns what was made so far
 */
export function countPipelines(target: Watched): () => readonly CompiledPipeline[] {
  const sources = rememberSources(target);
  const made = new Map<string, CompiledPipeline>();
  replace(target, "createComputePipelineAsync", (_, descriptor, create) => {
    const code = sources.get(descriptor.compute.module) ?? "";
    if (!made.has(code))
      made.set(code, { label: descriptor.label ?? "", bytes: code.length, ms: 0, createMs: 0 });
    return create(descriptor);
  });
  return () => [...made.values()];
}

/**
 * The same, and each is compiled while nothing else is, and runs one workgroup on buffers of a few bytes: many drivers compile when a
 * pipeline is first dispatched.
 * @param now a clock in milliseconds, best of the processor time of the process that compiles
 */
export function compilePipelinesAlone(
  target: Watched,
  now: () => number | Promise<number>,
): () => readonly CompiledPipeline[] {
  const sources = rememberSources(target);
  const made = new Map<string, CompiledPipeline>();
  const layouts = new WeakMap<GPUBindGroupLayout, readonly GPUBindGroupLayoutEntry[]>();
  replace(target, "createBindGroupLayout", (_, descriptor, create) => {
    const layout = create(descriptor);
    layouts.set(layout, [...descriptor.entries]);
    return layout;
  });
  const bindGroups = new WeakMap<GPUPipelineLayout, GPUBindGroupLayout>();
  replace(target, "createPipelineLayout", (_, descriptor, create) => {
    const layout = create(descriptor);
    const [only] = descriptor.bindGroupLayouts;
    bindGroups.set(layout, only as GPUBindGroupLayout);
    return layout;
  });
  let last: Promise<unknown> = Promise.resolve();
  replace(target, "createComputePipelineAsync", (gpu, descriptor, create) => {
    const code = sources.get(descriptor.compute.module) ?? "";
    const compiled = last.then(async () => {
      const before = await now();
      const pipeline = await create(descriptor);
      const createMs = (await now()) - before;
      const layout = bindGroups.get(descriptor.layout as GPUPipelineLayout)!;
      runOnce(gpu, pipeline, layout, layouts.get(layout)!);
      await gpu.queue.onSubmittedWorkDone();
      const ms = (await now()) - before;
      if (!made.has(code))
        made.set(code, { label: descriptor.label ?? "", bytes: code.length, ms, createMs });
      return pipeline;
    });
    last = compiled.catch(() => undefined);
    return compiled;
  });
  return () => [...made.values()];
}

function rememberSources(target: Watched): WeakMap<GPUShaderModule, string> {
  const sources = new WeakMap<GPUShaderModule, string>();
  replace(target, "createShaderModule", (_, descriptor, create) => {
    const module = create(descriptor);
    sources.set(module, descriptor.code);
    return module;
  });
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
