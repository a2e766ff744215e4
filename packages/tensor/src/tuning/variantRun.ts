/** The variants of one kernel call on the device, ready to be run: what they read and write is shared, pipelines are their own. */
import { bytesOf } from "@ddad/kernels-wgsl";
import type { Device } from "../device/device.ts";
import type { PipelineCache } from "../device/pipelines.ts";
import type { Dispatch, Lowered } from "../program/lower.ts";
import type { ProgramCall } from "../program/program.ts";

/** Buffers of one call. All its variants use them, one after another. */
export class CallBuffers {
  /** In the order of the call. */
  readonly inputs: readonly GPUBuffer[];
  readonly outputs: readonly GPUBuffer[];
  /** As many as outputs, to keep what they should be. */
  readonly expected: readonly GPUBuffer[];
  /** As large as the neediest variant wants them. */
  readonly scratch: readonly GPUBuffer[];
  readonly #device: Device;
  readonly #all: GPUBuffer[] = [];

  constructor(device: Device, { call }: ProgramCall, variants: readonly Lowered[]) {
    this.#device = device;
    const storage = (bytes: number): GPUBuffer => {
      device.checkSize(bytes, "tune: a tensor");
      return this.create(
        Math.max(16, 4 * Math.ceil(bytes / 4)),
        GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
      );
    };
    const [inputs, outputs] = [Object.values(call.inputs), Object.values(call.outputs)];
    const values = inputs.length + outputs.length;
    const scratch: number[] = [];
    for (const { bytes } of variants) {
      bytes.slice(values).forEach((size, index) => {
        scratch[index] = Math.max(size, scratch[index] ?? 0);
      });
    }
    this.inputs = inputs.map((spec) => storage(bytesOf(spec)));
    this.outputs = outputs.map((spec) => storage(bytesOf(spec)));
    this.expected = outputs.map((spec) => storage(bytesOf(spec)));
    this.scratch = scratch.map(storage);
  }

  /** A buffer that is destroyed with the others. */
  create(size: number, usage: number): GPUBuffer {
    const buffer = this.#device.gpu.createBuffer({ size, usage });
    this.#all.push(buffer);
    return buffer;
  }

  destroy(): void {
    for (const buffer of this.#all) buffer.destroy();
  }
}

interface Step {
  readonly dispatch: Dispatch;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
}

export class VariantRun {
  readonly #steps: readonly Step[];

  private constructor(steps: readonly Step[]) {
    this.#steps = steps;
  }

  /** What stands for the variant in timings. */
  get dispatch(): Dispatch {
    return this.#steps[0]!.dispatch;
  }

  /** Compiles the pipelines. @param lowered the variant, in a program of the one call: inputs, outputs, scratch */
  static async prepare(
    gpu: GPUDevice,
    pipelines: PipelineCache,
    { dispatches }: Lowered,
    buffers: CallBuffers,
  ): Promise<VariantRun> {
    const values = [...buffers.inputs, ...buffers.outputs, ...buffers.scratch];
    const steps = dispatches.map(async (dispatch): Promise<Step> => {
      const { shader, label, uniform } = dispatch;
      const pipeline = await pipelines.pipeline(shader, label);
      const bound = dispatch.values.map((id) => values[id]!);
      if (uniform) {
        const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
        const buffer = buffers.create(uniform.byteLength, usage);
        gpu.queue.writeBuffer(buffer, 0, uniform);
        bound.push(buffer);
      }
      const entries = bound.map((buffer, binding) => ({ binding, resource: { buffer } }));
      return {
        dispatch,
        pipeline,
        group: gpu.createBindGroup({ layout: pipelines.layout(shader), entries }),
      };
    });
    return new VariantRun(await Promise.all(steps));
  }

  /** Encodes the variant `repetitions` times in one pass. */
  encode(encoder: GPUCommandEncoder, repetitions: number, descriptor?: GPUComputePassDescriptor): void {
    const pass = encoder.beginComputePass(descriptor);
    for (let repetition = 0; repetition < repetitions; repetition++) {
      for (const { dispatch, pipeline, group } of this.#steps) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...dispatch.workgroups);
      }
    }
    pass.end();
  }
}
