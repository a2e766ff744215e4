/** One variant of a kernel on the device: buffers, pipelines and bind groups, ready to be run and read. */
import {
  assembleShader,
  bytesOf,
  type Call,
  type CaseValues,
  type Kernel,
  pack,
  packParams,
  sizeOf,
  type TensorData,
  type TensorSpec,
  unpack,
  type Variant,
} from "@ddad/kernels-wgsl";
import type { Device } from "@ddad/tensor";
import { checkSize, pipelinesOf } from "@ddad/tensor/internal";
import type { Step } from "./measure.ts";

export type AnyVariant = Variant<string, string, unknown, string>;

/** What outputs hold before the first run: a NaN, so that an element nobody writes is seen. */
const unwritten = 0x7fc0beef;

export class VariantRun {
  readonly steps: readonly Step[];
  readonly #device: Device;
  readonly #call: Call;
  readonly #buffers: ReadonlyMap<string, GPUBuffer>;
  readonly #uniforms: readonly GPUBuffer[];

  private constructor(
    device: Device,
    call: Call,
    steps: readonly Step[],
    buffers: ReadonlyMap<string, GPUBuffer>,
    uniforms: readonly GPUBuffer[],
  ) {
    this.#device = device;
    this.#call = call;
    this.steps = steps;
    this.#buffers = buffers;
    this.#uniforms = uniforms;
  }

  /** Throws LimitError where a tensor is larger than the adapter can bind, and where a shader does not compile. */
  static async prepare(
    device: Device,
    kernel: Kernel,
    variant: AnyVariant,
    call: Call,
    inputs: CaseValues,
  ): Promise<VariantRun> {
    const { capabilities, gpu } = device;
    const pipelines = pipelinesOf(device);
    const buffers = createBuffers(device, kernel, variant, call, inputs);
    const uniforms: GPUBuffer[] = [];
    const steps: Step[] = [];
    for (const pass of variant.passes(capabilities, call)) {
      const label = [kernel.name, variant.name, pass.label].filter(Boolean).join("/");
      const shader = assembleShader(kernel, pass, call.constants?.length);
      const pipeline = await pipelines.pipeline(shader, label);
      const bound = shader.bindings.map(({ name }) => {
        const buffer = buffers.get(name);
        if (!buffer) throw new Error(`${label} binds ${name}, which this call does not have.`);
        return buffer;
      });
      if (shader.uniform) {
        const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
        const uniform = createBuffer(gpu, packParams(kernel, call, shader), usage);
        bound.push(uniform);
        uniforms.push(uniform);
      }
      const group = gpu.createBindGroup({
        layout: pipelines.layout(shader),
        entries: bound.map((buffer, binding) => ({ binding, resource: { buffer } })),
      });
      steps.push({ pipeline, group, workgroups: pass.workgroups });
    }
    return new VariantRun(device, call, steps, buffers, uniforms);
  }

  /** The outputs as they are now. */
  async outputs(): Promise<Map<string, TensorData>> {
    const outputs = new Map<string, TensorData>();
    for (const [name, { dtype, shape }] of Object.entries(this.#call.outputs)) {
      const bytes = await download(this.#device.gpu, this.#buffers.get(name)!);
      outputs.set(name, unpack(bytes, dtype, sizeOf(shape)));
    }
    return outputs;
  }

  destroy(): void {
    for (const buffer of [...this.#buffers.values(), ...this.#uniforms]) buffer.destroy();
  }
}

/** A buffer for each input, output and scratch tensor; an updated input is its output's. */
function createBuffers(
  device: Device,
  kernel: Kernel,
  variant: AnyVariant,
  call: Call,
  inputs: CaseValues,
): Map<string, GPUBuffer> {
  const updates = Object.entries(kernel.updates ?? {});
  const overwritten = new Map(updates.map(([output, input]) => [output, input!]));
  const replaced = new Set(overwritten.values());
  const scratch = variant.scratch?.(device.capabilities, call) ?? {};
  const readers = Object.entries(call.inputs).filter(([name, tensor]) => tensor && !replaced.has(name));
  const tensors: [string, TensorSpec][] = [
    ...readers,
    ...Object.entries(call.outputs),
    ...Object.entries(scratch),
  ];
  for (const [name, tensor] of tensors) checkSize(device, bytesOf(tensor), `${kernel.name}: ${name}`);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  return new Map(
    tensors.map(([name, tensor]) => {
      const values = inputs[overwritten.get(name) ?? name];
      const content = values
        ? pack(values, tensor.dtype)
        : new Uint32Array(Math.ceil(bytesOf(tensor) / 4)).fill(unwritten);
      return [name, createBuffer(device.gpu, content, usage)];
    }),
  );
}

function createBuffer(gpu: GPUDevice, content: ArrayBufferView | ArrayBuffer, usage: number): GPUBuffer {
  const buffer = gpu.createBuffer({ size: Math.max(16, content.byteLength), usage });
  gpu.queue.writeBuffer(buffer, 0, content as ArrayBuffer);
  return buffer;
}

async function download(gpu: GPUDevice, source: GPUBuffer): Promise<ArrayBuffer> {
  const { size } = source;
  const staging = gpu.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  const encoder = gpu.createCommandEncoder();
  encoder.copyBufferToBuffer(source, 0, staging, 0, size);
  gpu.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const bytes = staging.getMappedRange().slice(0);
  staging.destroy();
  return bytes;
}
