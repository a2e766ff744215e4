/** A plan made ready for one device: pipelines, bind groups, buffers for intermediates. Running it is only encoding. */
import { compileKernels } from "#dawn";
import type { Dispatch, Lowered } from "../program/lower.ts";
import { offsetOf, type Place, type Plan } from "../program/plan.ts";
import type { ProgramCall } from "../program/program.ts";
import { cutSubmissions } from "../program/submissions.ts";
import type { Region } from "../storage.ts";
import type { Device } from "./device.ts";
import type { Timing } from "./timing.ts";
import { Uniforms } from "./uniforms.ts";

/** Bind groups kept for one dispatch. */
const maxGroups = 4;

interface Ready {
  readonly dispatch: Dispatch;
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** Place of each binding. */
  readonly places: readonly Place[];
  /** Bytes of each of them. */
  readonly sizes: readonly number[];
  readonly index: number;
  /** Those of them that are leaves or results: the others are slots, whose buffers never change. */
  readonly changing: readonly Place[];
  /** That of the run before, unless something it binds has moved since. */
  group: GPUBindGroup | undefined;
  /** Bind groups of recent runs, and where `changing` was that each is for. */
  readonly groups: { readonly regions: readonly Region[]; readonly group: GPUBindGroup }[];
}

/** Collected plans release their uniforms. */
const forgotten = new FinalizationRegistry<Uniforms>((uniforms) => uniforms.destroy());

export class Replay {
  /** What the dispatches compute, after fusion. */
  readonly calls: readonly ProgramCall[];
  readonly plan: Plan;
  /** Of the device's tuning, when the variants were chosen. */
  readonly generation: number;
  readonly #device: Device;
  readonly #ready: readonly Ready[];
  /** Steps that each begin a submission, after the first. */
  readonly #cuts: readonly number[];
  readonly #slots: readonly Region[];
  readonly #leaves: Users;
  readonly #results: Users;
  readonly #uniforms: Uniforms;

  private constructor(
    device: Device,
    calls: readonly ProgramCall[],
    plan: Plan,
    generation: number,
    ready: readonly Ready[],
    uniforms: Uniforms,
  ) {
    this.#device = device;
    this.calls = calls;
    this.generation = generation;
    this.plan = plan;
    this.#ready = ready;
    this.#cuts = cutSubmissions(ready.map(({ dispatch }) => dispatch));
    const slots = device.workspace.reserve(plan.slots);
    this.#slots = slots.map((buffer) => ({ buffer, offset: 0, size: buffer.size }));
    this.#uniforms = uniforms;
    forgotten.register(this, uniforms);
    this.#leaves = new Users(ready, "leaf");
    this.#results = new Users(ready, "result");
  }

  get dispatches(): number {
    return this.#ready.length;
  }

  /** Compiles the pipelines in parallel and writes the uniforms. */
  static async prepare(
    device: Device,
    calls: readonly ProgramCall[],
    lowered: Lowered,
    plan: Plan,
  ): Promise<Replay> {
    const { generation } = device.tuning;
    for (const { kernel, values } of lowered.dispatches) {
      for (const id of values)
        device.checkSize(lowered.bytes[id]!, id < lowered.leaves ? "An input" : `A tensor of ${kernel}`);
    }
    await compileKernels?.(device, lowered.dispatches);
    const ready = await Promise.all(
      lowered.dispatches.map(async (dispatch, index): Promise<Ready> => {
        const places = dispatch.values.map((id) => plan.places[id]!);
        return {
          dispatch,
          x: dispatch.workgroups[0],
          y: dispatch.workgroups[1],
          z: dispatch.workgroups[2],
          pipeline: await device.pipelines.pipeline(dispatch.shader, dispatch.label),
          layout: device.pipelines.layout(dispatch.shader),
          places,
          sizes: dispatch.values.map((id) => bindingSize(lowered.bytes[id]!)),
          index,
          changing: places.filter(({ kind }) => kind !== "slot"),
          group: undefined,
          groups: [],
        };
      }),
    );
    const uniforms = new Uniforms(device.gpu, device.buffers, lowered.dispatches);
    return new Replay(device, calls, plan, generation, ready, uniforms);
  }

  /**
   * Encodes and submits everything, long programs in several submissions. With `timing`, each dispatch gets a pass of its own that is
   * timed.
   *
   * @param constants those of the program that is run: other numbers than the replay was made for, at the same places
   */
  run(
    leaves: readonly Region[],
    results: readonly Region[],
    constants: readonly number[],
    timing?: Timing,
  ): void {
    const { gpu } = this.#device;
    this.#uniforms.update(constants);
    const at = ({ kind, index }: Place): Region =>
      (kind === "slot" ? this.#slots : kind === "leaf" ? leaves : results)[index]!;
    this.#leaves.follow(leaves);
    this.#results.follow(results);
    let encoder = gpu.createCommandEncoder();
    let pass: GPUComputePassEncoder | undefined;
    let pipeline: GPUComputePipeline | undefined;
    const endPass = (): void => {
      pass?.end();
      pass = undefined;
      pipeline = undefined;
    };
    let nextCopy = 0;
    const { copies } = this.plan;
    const copyBefore = (step: number): void => {
      for (; nextCopy < copies.length && copies[nextCopy]!.before <= step; nextCopy++) {
        endPass();
        const { from, to, bytes } = copies[nextCopy]!;
        const [source, target] = [at(from), at(to)];
        encoder.copyBufferToBuffer(
          source.buffer,
          source.offset + offsetOf(from),
          target.buffer,
          target.offset + offsetOf(to),
          bindingSize(bytes),
        );
      }
    };
    let nextCut = 0;
    for (let step = 0; step < this.#ready.length; step++) {
      const ready = this.#ready[step]!;
      if (step === this.#cuts[nextCut]) {
        endPass();
        gpu.queue.submit([encoder.finish()]);
        encoder = gpu.createCommandEncoder();
        nextCut++;
      }
      if (nextCopy < copies.length) copyBefore(step);
      if (timing) {
        endPass();
        pass = encoder.beginComputePass(timing.next(ready.dispatch));
      }
      pass ??= encoder.beginComputePass();
      // Every call into Dawn costs about a microsecond.
      if (pipeline !== ready.pipeline) {
        pipeline = ready.pipeline;
        pass.setPipeline(pipeline);
      }
      ready.group ??= this.#groupOf(ready, at);
      pass.setBindGroup(0, ready.group);
      pass.dispatchWorkgroups(ready.x, ready.y, ready.z);
    }
    copyBefore(this.#ready.length);
    endPass();
    timing?.resolve(encoder);
    gpu.queue.submit([encoder.finish()]);
  }

  /** Arguments and results come from a pool and alternate between a few buffers: groups for the recent ones are kept. */
  #groupOf(ready: Ready, at: (place: Place) => Region): GPUBindGroup {
    const { changing, groups } = ready;
    for (const known of groups) {
      let same = true;
      for (let k = 0; same && k < changing.length; k++)
        same = sameRegion(known.regions[k]!, at(changing[k]!));
      if (same) return known.group;
    }
    const entries: GPUBindGroupEntry[] = ready.places.map((place, binding) => {
      const { buffer, offset } = at(place);
      return { binding, resource: { buffer, offset: offset + offsetOf(place), size: ready.sizes[binding]! } };
    });
    if (ready.dispatch.uniform) {
      const { byteLength: size } = ready.dispatch.uniform;
      entries.push({
        binding: entries.length,
        resource: this.#uniforms.binding(ready.index, size),
      });
    }
    const group = this.#device.gpu.createBindGroup({ layout: ready.layout, entries });
    groups.unshift({ regions: changing.map(at), group });
    if (groups.length > maxGroups) groups.pop();
    return group;
  }
}

/** Which dispatches bind the leaves, or the results; those whose buffer has changed since the last run need another group. */
class Users {
  readonly #byIndex: Ready[][] = [];
  #regions: readonly (Region | undefined)[] = [];

  constructor(all: readonly Ready[], kind: Place["kind"]) {
    for (const ready of all) {
      for (const place of ready.changing) {
        if (place.kind !== kind) continue;
        this.#byIndex[place.index] ??= [];
        this.#byIndex[place.index]!.push(ready);
      }
    }
  }

  follow(regions: readonly Region[]): void {
    for (let index = 0; index < regions.length; index++) {
      const before = this.#regions[index];
      const users = this.#byIndex[index];
      if (!users || (before && sameRegion(before, regions[index]!))) continue;
      for (const ready of users) ready.group = undefined;
    }
    this.#regions = regions;
  }
}

const sameRegion = (a: Region, b: Region): boolean => a.buffer === b.buffer && a.offset === b.offset;

/** Bindings and copies come in words. */
const bindingSize = (bytes: number): number => Math.ceil(bytes / 4) * 4;
