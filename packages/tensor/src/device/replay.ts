/** A plan made ready for one device: pipelines, bind groups, buffers for intermediates. Running it is only encoding. */
import type { Dispatch, Lowered } from "../program/lower.ts";
import type { Place, Plan } from "../program/plan.ts";
import type { Device } from "./device.ts";
import type { Timing } from "./timing.ts";

/** Alignment of uniform structs inside one buffer; 256 is what every adapter accepts. */
const uniformAlignment = 256;

interface Ready {
  readonly dispatch: Dispatch;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** Place of each binding. */
  readonly places: readonly Place[];
  readonly uniformOffset: number;
  /** Valid for the buffers of the last run; those of slots never change. */
  group: GPUBindGroup | undefined;
  readonly boundBuffers: GPUBuffer[];
}

export class Replay {
  readonly plan: Plan;
  readonly #device: Device;
  readonly #ready: readonly Ready[];
  readonly #slots: readonly GPUBuffer[];
  readonly #uniforms: GPUBuffer | undefined;

  private constructor(device: Device, plan: Plan, ready: readonly Ready[], uniforms: GPUBuffer | undefined) {
    this.#device = device;
    this.plan = plan;
    this.#ready = ready;
    this.#slots = device.workspace.reserve(plan.slots);
    this.#uniforms = uniforms;
  }

  get dispatches(): number {
    return this.#ready.length;
  }

  /** Compiles the pipelines in parallel and writes the uniforms once. */
  static async prepare(device: Device, lowered: Lowered, plan: Plan): Promise<Replay> {
    lowered.bytes.forEach((bytes, id) => {
      if (plan.places[id]) device.checkSize(bytes, describeValue(lowered, id));
    });
    const structs = lowered.dispatches.map(({ uniform }) => uniform);
    const uniforms = writeUniforms(device, structs);
    let offset = 0;
    const ready = await Promise.all(
      lowered.dispatches.map(async (dispatch): Promise<Ready> => {
        const uniformOffset = offset;
        if (dispatch.uniform) offset += align(dispatch.uniform.byteLength);
        return {
          dispatch,
          pipeline: await device.pipelines.pipeline(dispatch.shader, dispatch.label),
          layout: device.pipelines.layout(dispatch.shader),
          places: dispatch.values.map((id) => plan.places[id]!),
          uniformOffset,
          group: undefined,
          boundBuffers: [],
        };
      }),
    );
    return new Replay(device, plan, ready, uniforms);
  }

  /** Encodes and submits everything. With `timing`, each dispatch gets a pass of its own that is timed. */
  run(leaves: readonly GPUBuffer[], results: readonly GPUBuffer[], timing?: Timing): void {
    const { gpu } = this.#device;
    const at = ({ kind, index }: Place): GPUBuffer =>
      (kind === "slot" ? this.#slots : kind === "leaf" ? leaves : results)[index]!;
    const encoder = gpu.createCommandEncoder();
    let pass: GPUComputePassEncoder | undefined;
    let nextCopy = 0;
    const { copies } = this.plan;
    const copyBefore = (step: number): void => {
      for (; nextCopy < copies.length && copies[nextCopy]!.before <= step; nextCopy++) {
        pass?.end();
        pass = undefined;
        const { from, to, bytes } = copies[nextCopy]!;
        encoder.copyBufferToBuffer(at(from), 0, at(to), 0, Math.ceil(bytes / 4) * 4);
      }
    };
    for (let step = 0; step < this.#ready.length; step++) {
      const ready = this.#ready[step]!;
      if (nextCopy < copies.length) copyBefore(step);
      if (timing) {
        pass?.end();
        pass = encoder.beginComputePass(timing.next(ready.dispatch));
      }
      pass ??= encoder.beginComputePass();
      pass.setPipeline(ready.pipeline);
      pass.setBindGroup(0, this.#group(ready, at));
      const [x, y, z] = ready.dispatch.workgroups;
      pass.dispatchWorkgroups(x, y, z);
    }
    copyBefore(this.#ready.length);
    pass?.end();
    timing?.resolve(encoder);
    gpu.queue.submit([encoder.finish()]);
  }

  #group(ready: Ready, at: (place: Place) => GPUBuffer): GPUBindGroup {
    const { places, boundBuffers } = ready;
    let same = ready.group !== undefined;
    for (let binding = 0; binding < places.length; binding++) {
      const buffer = at(places[binding]!);
      if (boundBuffers[binding] === buffer) continue;
      boundBuffers[binding] = buffer;
      same = false;
    }
    if (same) return ready.group!;
    const entries: GPUBindGroupEntry[] = boundBuffers.map((buffer, binding) => ({
      binding,
      resource: { buffer },
    }));
    if (ready.dispatch.uniform) {
      const { byteLength: size } = ready.dispatch.uniform;
      entries.push({
        binding: entries.length,
        resource: { buffer: this.#uniforms!, offset: ready.uniformOffset, size },
      });
    }
    ready.group = this.#device.gpu.createBindGroup({ layout: ready.layout, entries });
    return ready.group;
  }
}

const align = (bytes: number): number => Math.ceil(bytes / uniformAlignment) * uniformAlignment;

function writeUniforms(device: Device, structs: readonly (ArrayBuffer | undefined)[]): GPUBuffer | undefined {
  const total = structs.reduce((sum, struct) => sum + (struct ? align(struct.byteLength) : 0), 0);
  if (!total) return undefined;
  const buffer = device.gpu.createBuffer({
    size: total,
    usage: GPUBufferUsage.UNIFORM,
    mappedAtCreation: true,
  });
  const bytes = new Uint8Array(buffer.getMappedRange());
  let offset = 0;
  for (const struct of structs) {
    if (!struct) continue;
    bytes.set(new Uint8Array(struct), offset);
    offset += align(struct.byteLength);
  }
  buffer.unmap();
  return buffer;
}

function describeValue({ dispatches, leaves }: Lowered, id: number): string {
  if (id < leaves) return "An input";
  const dispatch = dispatches.find(({ values }) => values.includes(id));
  return dispatch ? `A tensor of ${dispatch.kernel}` : "A tensor";
}
