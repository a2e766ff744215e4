/** Measured peak rates of the adapter, for comparison with the kernels' times. */
import type { Device } from "@ddad/tensor";
import { checkSize, pipelinesOf } from "@ddad/tensor/internal";
import {
  type AddingWork,
  copy,
  empty,
  type MatrixWork,
  matrixProducts,
  multiplyAdd,
  type Program,
  sourceValues,
} from "./ceilingPrograms.ts";
import { type Effort, measureSteps, runSteps, type Step } from "./measure.ts";

/** Rates in 10⁹ per second; a multiply-add counts 2 operations. */
export interface Ceilings {
  /** Bytes read plus bytes written by a copy of vec4f. */
  readonly copyGbps: number;
  /** f32 multiply-adds without memory access. */
  readonly multiplyAddGflops: number;
  /** f16 multiply-adds, summed in f16; only with shader-f16. */
  readonly multiplyAddF16Gflops?: number;
  /** Products of f16 matrices by the subgroups' matrix unit, summed in f32; only where the adapter has one. */
  readonly subgroupMatrixGflops?: number;
  /** A dispatch that does nothing, in microseconds: no kernel is faster. */
  readonly dispatchMicroseconds: number;
}

/** What a kernel or a layer does. */
export interface Work {
  readonly flops: number;
  readonly bytes: number;
  /** Those of `flops` that a matrix unit takes. */
  readonly matrixFlops?: number;
}

/** Whether a variant of this name uses a matrix unit. */
export const usesMatrixUnit = (variant: string): boolean => variant.startsWith("subgroup matrix");

/**
 * The least time of the work at the ceilings, in milliseconds: memory or arithmetic, whichever takes longer.
 * The f16 multiply-add peak is none of them, because every kernel sums in f32.
 */
export function leastMilliseconds({ flops, bytes, matrixFlops = 0 }: Work, ceilings: Ceilings): number {
  const { copyGbps, multiplyAddGflops, subgroupMatrixGflops } = ceilings;
  if (matrixFlops > 0 && subgroupMatrixGflops === undefined) {
    throw new Error("Work for a matrix unit has no ceiling: the adapter's was not measured.");
  }
  const arithmetic = (flops - matrixFlops) / multiplyAddGflops + matrixFlops / (subgroupMatrixGflops ?? 1);
  return Math.max(arithmetic, bytes / copyGbps) / 1e6;
}

/** Which shape of loop is fastest differs between adapters; the best of these is the ceiling: chains, and how far unrolled. */
const loops = [
  [1, 8],
  [2, 8],
  [4, 4],
  [8, 2],
] as const;

/** The same for matrices: left and right ones that a subgroup keeps. */
const tiles = [
  [1, 4],
  [2, 2],
  [2, 4],
  [4, 4],
] as const;

/** Beside it neither starting a GPU's thousands of threads nor the slowest of them counts: milliseconds on a large one. */
const gpuWork = {
  adding: { rounds: 1024, threads: 2 ** 20 } satisfies AddingWork,
  matrices: { rounds: 1024, workgroups: 1024 } satisfies MatrixWork,
};
const softwareWork: typeof gpuWork = {
  adding: { rounds: 256, threads: 2 ** 16 },
  matrices: { rounds: 256, workgroups: 64 },
};

/**
 * Throws where a shader does not compile or computes something else than it should; of the shapes for one ceiling only where none
 * is right. `failed` gets the others.
 */
export async function measureCeilings(device: Device, effort: Effort, failed: Failed): Promise<Ceilings> {
  const { adapterClass, f16, subgroupMatrix } = device.capabilities;
  const { maxStorageBufferBindingSize } = device.gpu.limits;
  const software = adapterClass === "software";
  const bytes = Math.min(maxStorageBufferBindingSize, (software ? 64 : 256) * 2 ** 20);
  const work = software ? softwareWork : gpuWork;
  using bench = new CeilingBench(device, bytes, effort, failed);
  const dispatch = await bench.milliseconds(empty);
  const copied = await bench.milliseconds(copy(bytes));
  const fma = (type: "f32" | "f16") =>
    loops.map(([chains, unrolled]) => multiplyAdd(type, chains, unrolled, work.adding));
  const unit = subgroupMatrix;
  return {
    copyGbps: (2 * bytes) / copied / 1e6,
    multiplyAddGflops: await bench.best(fma("f32")),
    ...(f16 && { multiplyAddF16Gflops: await bench.best(fma("f16")) }),
    ...(unit && {
      subgroupMatrixGflops: await bench.best(
        tiles.map(([tall, wide]) => matrixProducts(unit, tall, wide, work.matrices)),
      ),
    }),
    dispatchMicroseconds: 1000 * dispatch,
  };
}

/** Called with a program that was not timed, and why. May throw to end the run. */
type Failed = (name: string, error: unknown) => void;

/** Runs programs from one buffer to another. */
export class CeilingBench {
  readonly #device: Device;
  readonly #effort: Effort;
  readonly #failed: Failed;
  readonly #source: GPUBuffer;
  readonly #target: GPUBuffer;

  constructor(device: Device, bytes: number, effort: Effort, failed: Failed) {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    this.#device = device;
    this.#effort = effort;
    this.#failed = failed;
    this.#source = device.gpu.createBuffer({ size: bytes, usage });
    this.#target = device.gpu.createBuffer({ size: bytes, usage });
    device.gpu.queue.writeBuffer(this.#source, 0, sourceValues);
  }

  /** The fastest sample of a program that was seen to work. */
  async milliseconds(program: Program): Promise<number> {
    const step = await this.check(program);
    return (await measureSteps(program.name, this.#device, [step], this.#effort)).minimum;
  }

  /** The rate of the fastest of programs for the same ceiling, in 10⁹ operations a second. */
  async best(programs: readonly Program[]): Promise<number> {
    let gflops = 0;
    for (const program of programs) {
      try {
        gflops = Math.max(gflops, program.flops / (await this.milliseconds(program)) / 1e6);
      } catch (error) {
        this.#failed(program.name, error);
      }
    }
    if (gflops === 0) throw new Error(`No program for the ceiling of ${programs[0]?.name} is right.`);
    return gflops;
  }

  /** Runs a program once. Throws unless all that it wrote is what it should have. */
  async check(program: Program): Promise<Step> {
    const { gpu } = this.#device;
    const bytes = 4 * program.count;
    checkSize(this.#device, bytes, `ceiling ${program.name}: the target`);
    const step = await this.#prepare(program);
    const clear = gpu.createCommandEncoder();
    clear.clearBuffer(this.#target, 0, bytes);
    gpu.queue.submit([clear.finish()]);
    await runSteps(this.#device, [step], 1);
    checkProgram(program, new Float32Array(await this.#read(bytes)));
    return step;
  }

  [Symbol.dispose](): void {
    this.#source.destroy();
    this.#target.destroy();
  }

  async #prepare({ name, shader, workgroups }: Program): Promise<Step> {
    const { gpu } = this.#device;
    const pipeline = await pipelinesOf(this.#device).pipeline(shader, `ceiling ${name}`);
    const group = gpu.createBindGroup({
      layout: pipelinesOf(this.#device).layout(shader),
      entries: [this.#source, this.#target].map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
    return { pipeline, group, workgroups: [workgroups, 1, 1] };
  }

  async #read(size: number): Promise<ArrayBuffer> {
    const { gpu } = this.#device;
    const staging = gpu.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
    const encoder = gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(this.#target, 0, staging, 0, size);
    gpu.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const bytes = staging.getMappedRange().slice(0);
    staging.destroy();
    return bytes;
  }
}

/** A rate of a shader that does something else, or nothing, would be no ceiling. */
export function checkProgram({ name, count, tolerance, expected }: Program, got: Float32Array): void {
  let largest = 0;
  for (let index = 0; index < count; index++) largest = Math.max(largest, Math.abs(expected(index)));
  for (let index = 0; index < count; index++) {
    const right = expected(index);
    if (Math.abs(got[index]! - right) <= tolerance * largest) continue;
    throw new Error(`The ceiling of ${name} is wrong: number ${index} is ${got[index]}, not ${right}.`);
  }
}
