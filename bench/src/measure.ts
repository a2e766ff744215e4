/** The timing loop (benchmark.js) and how work on the GPU is put into it. */
import type { Device } from "@ddad/tensor";
import { throwFailure } from "@ddad/tensor/internal";
import Benchmark from "benchmark";

/** How long one case may take. */
export interface Effort {
  /** Least duration of sampling, in seconds. */
  readonly seconds: number;
  /** Least number of samples. */
  readonly samples: number;
  /** One sample of GPU work repeats it until it lasts this long. */
  readonly sampleMs: number;
}

export const efforts: Readonly<Record<"full" | "quick", Effort>> = {
  full: { seconds: 0.8, samples: 7, sampleMs: 50 },
  quick: { seconds: 0.2, samples: 3, sampleMs: 20 },
};

/** Few samples of what takes this long say enough. */
const longMs = 500;
const fewestSamples = 3;

/** The effort for something that takes `milliseconds` a time. */
export const effortFor = (milliseconds: number, effort: Effort): Effort =>
  milliseconds < longMs ? effort : { ...effort, samples: Math.min(fewestSamples, effort.samples) };

/** Time of one operation in milliseconds. Other processes only ever add, so the minimum is what to compare. */
export interface Timing {
  readonly minimum: number;
  readonly median: number;
}

/** Runs `work` again and again. Its first run should lie behind it: compiling is not what is timed. */
export function measure(name: string, work: () => Promise<void>, effort: Effort): Promise<Timing> {
  return new Promise((resolve, reject) => {
    let failure: { readonly reason: unknown } | undefined;
    const benchmark: Benchmark = new Benchmark(name, {
      defer: true,
      minSamples: effort.samples,
      maxTime: effort.seconds,
      minTime: effort.sampleMs / 1000,
      fn(deferred: Benchmark.Deferred) {
        work()
          .catch((reason: unknown) => {
            failure = { reason };
            benchmark.abort();
          })
          .finally(() => deferred.resolve());
      },
      onComplete() {
        if (failure) reject(failure.reason);
        else resolve(summarise(benchmark.stats.sample.map((seconds) => 1000 * seconds)));
      },
    });
    benchmark.run({ async: true });
  });
}

export function summarise(samples: readonly number[]): Timing {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  if (low === undefined || high === undefined) throw new Error("No sample was taken.");
  return { minimum: sorted[0]!, median: (low + high) / 2 };
}

/** One dispatch, ready to be encoded. */
export interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

/** Dispatches in one submission: the GPU starts on them while the host encodes the next. */
const dispatchesPerSubmit = 64;

/** Repetitions in one sample: enough for a fast GPU, few enough to be encoded at once. */
const mostRepetitions = 2048;

/** GPU time of one run of all `steps`: a sample repeats them back to back and waits for the queue once. */
export async function measureSteps(
  name: string,
  device: Device,
  steps: readonly Step[],
  effort: Effort,
): Promise<Timing> {
  await runSteps(device, steps, 1);
  let repetitions = 1;
  let elapsed: number;
  for (;;) {
    const start = performance.now();
    await runSteps(device, steps, repetitions);
    elapsed = performance.now() - start;
    if (elapsed >= effort.sampleMs || repetitions === mostRepetitions) break;
    const needed = Math.ceil((1.2 * repetitions * effort.sampleMs) / elapsed);
    repetitions = Math.min(mostRepetitions, Math.max(2 * repetitions, needed));
  }
  const sample = () => runSteps(device, steps, repetitions);
  const { minimum, median } = await measure(name, sample, effortFor(elapsed, effort));
  return { minimum: minimum / repetitions, median: median / repetitions };
}

/** Submits `repetitions` of the steps and waits until they are done. */
export async function runSteps(device: Device, steps: readonly Step[], repetitions: number): Promise<void> {
  const { gpu } = device;
  const perSubmit = Math.max(1, Math.floor(dispatchesPerSubmit / steps.length));
  for (let done = 0; done < repetitions; done += perSubmit) {
    const encoder = gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    const count = Math.min(perSubmit, repetitions - done);
    // A fast GPU does a small kernel sooner than the host says all of it again.
    let last: Step | undefined;
    for (let repetition = 0; repetition < count; repetition++) {
      for (const step of steps) {
        if (step !== last) {
          pass.setPipeline(step.pipeline);
          pass.setBindGroup(0, step.group);
          last = step;
        }
        pass.dispatchWorkgroups(...step.workgroups);
      }
    }
    pass.end();
    gpu.queue.submit([encoder.finish()]);
  }
  await gpu.queue.onSubmittedWorkDone();
  throwFailure(device);
}
