/** One kernel call, every variant that fits: run, checked, timed. */
import { admits, usualVariants } from "@ddad/kernels-wgsl";
import type { Device } from "../device/device.ts";
import { withErrors } from "../device/errorScopes.ts";
import type { PipelineCache } from "../device/pipelines.ts";
import { Timing } from "../device/timing.ts";
import { DeviceLostError } from "../errors.ts";
import { type Lowered, lowerProgram } from "../program/lower.ts";
import { callKey, type Program, type ProgramCall } from "../program/program.ts";
import { compareBuffers, fillRandom, fillUnwritten } from "./samples.ts";
import { CallBuffers, VariantRun } from "./variantRun.ts";

/** A variant that must not be taken, and the reason. */
export interface Rejection {
  readonly variant: string;
  readonly why: string;
}

/** Result of measuring the variants of a call. */
export interface Measured {
  /** Time of one run by variant, of those that ran and were right. */
  readonly microseconds: ReadonlyMap<string, number>;
  readonly rejected: readonly Rejection[];
}

/** Names of the variants that run this call here. */
export const admittedNames = ({ kernel, call }: ProgramCall, { capabilities }: Device): string[] =>
  kernel.variants.filter((variant) => admits(variant, capabilities, call)).map(({ name }) => name);

/**
 * Runs the variants of a call on the same numbers, compares what they give with what the variant gives that always fits, and times
 * those that agree with it. The caller has exclusive use of the device.
 *
 * @param pipelines where those of the variants are kept
 * @param samples timings of each variant
 */
export async function measureCall(
  device: Device,
  pipelines: PipelineCache,
  entry: ProgramCall,
  samples: number,
): Promise<Measured> {
  const rejected: Rejection[] = [];
  const reject = (variant: string, error: unknown): void => {
    if (error instanceof DeviceLostError) throw error;
    // The rest of a compiler's message is the shader.
    rejected.push({ variant, why: messageOf(error).split("\n")[0]! });
  };
  const lowered = new Map<string, Lowered>();
  for (const name of admittedNames(entry, device)) {
    try {
      const choices = new Map([[callKey(entry), name]]);
      lowered.set(name, lowerProgram(programOf(entry), device.capabilities, choices));
    } catch (error) {
      reject(name, error);
    }
  }
  let buffers: CallBuffers | undefined;
  try {
    await withErrors(device, async () => {
      buffers = new CallBuffers(device, entry, [...lowered.values()]);
      const specs = Object.values(entry.call.inputs);
      for (const [index, { dtype }] of specs.entries())
        await fillRandom(device, buffers.inputs[index]!, dtype, index + 1);
    });
    const runs = await prepareRuns(device, pipelines, lowered, buffers!, reject);
    const right = await checkRuns(device, entry, runs, buffers!, reject);
    return { microseconds: await timeRuns(device, right, samples), rejected };
  } catch (error) {
    // Nothing of this call can be measured, for instance because there is no memory for it.
    const reported = new Set(rejected.map(({ variant }) => variant));
    for (const name of lowered.keys()) if (!reported.has(name)) reject(name, error);
    return { microseconds: new Map(), rejected };
  } finally {
    buffers?.destroy();
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

type Runs = ReadonlyMap<string, VariantRun>;
type Reject = (variant: string, error: unknown) => void;

/** A program of one call: leaves are its inputs, results its outputs. */
function programOf(entry: ProgramCall): Program {
  const { inputs, outputs, constants: own = [] } = entry.call;
  const names = [...Object.keys(inputs), ...Object.keys(outputs)];
  const ids = (record: object) =>
    Object.fromEntries(Object.keys(record).map((name) => [name, names.indexOf(name)]));
  return {
    values: [...Object.values(inputs), ...Object.values(outputs)],
    leaves: Object.keys(inputs).length,
    calls: [{ ...entry, inputs: ids(inputs), outputs: ids(outputs), constants: own.map((_, k) => k) }],
    constants: own,
    results: Object.values(ids(outputs)),
    assignments: [],
    runs: [],
    packs: [],
  };
}

/** Compiles all at once. */
async function prepareRuns(
  device: Device,
  pipelines: PipelineCache,
  lowered: ReadonlyMap<string, Lowered>,
  buffers: CallBuffers,
  reject: Reject,
): Promise<Runs> {
  const names = [...lowered.keys()];
  let prepared: PromiseSettledResult<VariantRun>[] = [];
  const work = withErrors(device, async () => {
    prepared = await Promise.allSettled(
      names.map((name) => VariantRun.prepare(device.gpu, pipelines, lowered.get(name)!, buffers)),
    );
  });
  // What WebGPU says of a shader it says twice, here without the variant's name.
  await work.catch((error: unknown) => {
    if (error instanceof DeviceLostError) throw error;
  });
  const runs = new Map<string, VariantRun>();
  prepared.forEach((result, index) => {
    if (result.status === "fulfilled") runs.set(names[index]!, result.value);
    else reject(names[index]!, result.reason);
  });
  return runs;
}

/** Those that give the same as the variant that always fits. */
async function checkRuns(
  device: Device,
  entry: ProgramCall,
  runs: Runs,
  buffers: CallBuffers,
  reject: Reject,
): Promise<Runs> {
  const { outputs, expected, scratch } = buffers;
  const always = usualVariants(entry.kernel).at(-1)!.name;
  const reference = runs.get(always);
  if (!reference) throw new Error(`it cannot be checked: ${always} does not run`);
  const runOnce = (run: VariantRun) =>
    withErrors(device, async () => {
      for (const buffer of [...outputs, ...scratch]) await fillUnwritten(device, buffer);
      await submit(device, (encoder) => run.encode(encoder, 1));
    });
  await runOnce(reference);
  await submit(device, (encoder) => {
    outputs.forEach((output, index) => {
      encoder.copyBufferToBuffer(output, 0, expected[index]!, 0, output.size);
    });
  });
  const right = new Map<string, VariantRun>();
  for (const [name, run] of runs) {
    try {
      await runOnce(run);
      await checkOutputs(device, entry, buffers);
      right.set(name, run);
    } catch (error) {
      reject(name, error);
    }
  }
  return right;
}

/** Throws where an output is not what was expected. */
async function checkOutputs(
  device: Device,
  { kernel, call }: ProgramCall,
  { outputs, expected }: CallBuffers,
): Promise<void> {
  const specs = [...Object.values(call.inputs), ...Object.values(call.outputs)];
  const anyF16 = specs.some(({ dtype }) => dtype === "f16");
  // What the kernel's tests allow, twice, because both may err by it. An f16 is off by up to 2^-11 from being rounded: two of
  // them may be neighbours, and what is computed of f16 operands by a matrix unit, whose sums have fewer bits than f32, is
  // not further off than the operands were.
  const tolerance = Math.max(2 * (kernel.tolerance ?? 1e-5), anyF16 ? 1e-3 : 0);
  for (const [index, [name, spec]] of Object.entries(call.outputs).entries()) {
    const found = await compareBuffers(device, outputs[index]!, expected[index]!, spec);
    const allowed = tolerance * found.largest;
    if (found.wrong > 0) throw new Error(`${name} differs in ${found.wrong} elements`);
    if (!(found.difference <= allowed)) {
      const [difference, bound] = [found.difference, allowed].map((value) => value.toPrecision(3));
      throw new Error(`${name} differs by ${difference}, and ${bound} are allowed`);
    }
  }
}

/** Runs in one sample at most. */
const mostRepetitions = 500;
/** Microseconds that a sample should last: by the GPU's clock, which browsers coarsen to 100, or by the host's. */
const sampleTime = { gpu: 4_000, host: 25_000 };
/** A variant slower than the best by more than this in its first sample gets no more of them. */
const hopeless = 3;

/** Microseconds of one run of each: the least of several interleaved samples, because other work only adds time. */
async function timeRuns(device: Device, runs: Runs, samples: number): Promise<Map<string, number>> {
  const clocked = device.gpu.features.has("timestamp-query");
  const time = clocked ? timeOnGpu : timeOnHost;
  const enough = clocked ? sampleTime.gpu : sampleTime.host;
  const least = new Map<string, number>();
  const repetitions = new Map<string, number>();
  for (const [name, run] of runs) {
    await time(device, run, 1); // caches and clocks warm up
    let count = 1;
    let sample = await time(device, run, count);
    // A short sample would be of its own beginning and end.
    while (sample * count < enough && count < mostRepetitions) {
      const wanted = Math.ceil((1.2 * enough) / Math.max(1, sample));
      count = Math.min(mostRepetitions, Math.max(2 * count, wanted));
      sample = await time(device, run, count);
    }
    repetitions.set(name, count);
    least.set(name, sample);
  }
  const best = Math.min(...least.values());
  const hopeful = [...runs].filter(([name]) => least.get(name)! <= hopeless * best);
  for (let sample = 1; sample < samples; sample++) {
    for (const [name, run] of hopeful) {
      const next = await time(device, run, repetitions.get(name)!);
      least.set(name, Math.min(least.get(name)!, next));
    }
  }
  return least;
}

async function timeOnGpu(device: Device, run: VariantRun, repetitions: number): Promise<number> {
  const timing = new Timing(device.gpu, 1);
  await submit(device, (encoder) => {
    run.encode(encoder, repetitions, timing.next(run.dispatch));
    timing.resolve(encoder);
  });
  const [timed] = await timing.read();
  return timed!.microseconds / repetitions;
}

async function timeOnHost(device: Device, run: VariantRun, repetitions: number): Promise<number> {
  const start = performance.now();
  await submit(device, (encoder) => run.encode(encoder, repetitions));
  return (1000 * (performance.now() - start)) / repetitions;
}

/** Submits what is encoded and waits until it is done. */
async function submit(device: Device, encode: (encoder: GPUCommandEncoder) => void): Promise<void> {
  const encoder = device.gpu.createCommandEncoder();
  encode(encoder);
  device.gpu.queue.submit([encoder.finish()]);
  await device.gpu.queue.onSubmittedWorkDone();
  device.throwFailure();
}
