/** What the parts of a model cost, in time and in memory of the device. Weights and images are made up: they cost the same. */

import {
  type Config,
  costOf,
  createDenoiser,
  createExtractor,
  createSchedule,
  gatherPixels,
  type Inspection,
  imageSetBytes,
  inspect,
  type Model,
  type NamedImages,
  reconstruct,
  samplingSteps,
  train,
} from "@ddad/ddad/internal";
import {
  compile,
  currentDevice,
  evaluate,
  foldBatchNorm,
  LimitError,
  memory,
  OutOfMemoryError,
  ResNet,
  type Tensor,
  tensor,
} from "@ddad/nn";
import { throwFailure } from "@ddad/nn/internal";
import { median } from "d3-array";
import { openDetector } from "./detector.ts";

/** Wall time of something done again and again, each time until the device was done with it. */
export interface Timing {
  /** Median, milliseconds. */
  readonly ms: number;
  /** How often it was measured, after a warm-up. */
  readonly repetitions: number;
}

/** What inspecting one image costs. */
export interface InspectionCost {
  /** One call of the denoiser, the operations that `costOf` counts, and how many of them a second, both in 1e9; none of PatchCore. */
  readonly call?: Timing & { readonly gflop: number; readonly gflops: number };
  /** The reconstruction of one image, and its sampling steps; none of PatchCore. */
  readonly reconstruction?: Timing & { readonly steps: number };
  /** The whole of it: reconstruction, distances and map. */
  readonly inspection: Timing;
  /** Most bytes in buffers of the device, as `memory()` counts them between the parts of an inspection. */
  readonly bytes: number;
}

/** What training costs. */
export interface TrainingCost {
  /** Optimiser steps of the whole training. */
  readonly steps: number;
  /** Of all optimiser steps, estimated; absent where none could be measured. */
  readonly seconds?: number;
  /** One optimiser step. */
  readonly step?: Timing & {
    readonly batchSize: number;
    /** As configured; `notices` say where the adapter had no room for it. */
    readonly microBatch: number;
    readonly imagesPerSecond: number;
    /** Most bytes in buffers of the device, as `memory()` counts them after a step. */
    readonly bytes: number;
  };
  /** What the training said. */
  readonly notices: readonly string[];
  /** Why no step could be measured. */
  readonly problem?: string;
}

/** Seconds after which nothing is repeated any more. */
const patience = 30;

/** How parts are measured. */
export interface MeasureOptions {
  /** Measurements of each part after a warm-up, fewer where they take long. */
  readonly repetitions: number;
  /** What is done with an inspection before anything is measured, such as `tune`. */
  readonly prepare?: ((inspectOnce: () => Promise<void>) => Promise<void>) | undefined;
  /** Told before a part is measured, and after each measurement: which, and how often it has run. */
  readonly tell?: ((part: string, done: number) => void) | undefined;
  /** Once it is aborted, its reason is thrown: before the next measurement or sampling step. */
  readonly signal?: AbortSignal | undefined;
}

/** What DDAD costs for one image. Needs a device. @throws the reason of the signal */
export async function benchReconstruction(config: Config, options: MeasureOptions): Promise<InspectionCost> {
  const { prepare, signal } = options;
  const images = madeUpImages(config, 1);
  const size = config.data.imageSize;
  const peak = new Peak();
  using denoiser = createDenoiser(config).eval();
  await evaluate(...denoiser.namedState().values());
  if (denoiser.precision === "mixed") await denoiser.castWeightsToF16();
  using extractor = await madeUpExtractor(config);
  const inspectOnce = (): Promise<void> =>
    exhaust(inspect({ config, denoiser, extractor }, images, { signal }));
  await prepare?.(inspectOnce);
  using input = tensor(gatherPixels(images.images, [0]), [1, size, size, 3]);
  using t = tensor([config.sampling.start]);
  const forward = compile((x: Tensor, time: Tensor) => denoiser.forward(x, time));
  const call = await timed("forward pass", options, async () => {
    using _ = await forward(input, t);
    await deviceDone();
    peak.sample();
  });
  const sampling = { ...config.sampling, schedule: createSchedule(config), images: [0], signal };
  const reconstruction = await timed("reconstruction", options, async () => {
    using _ = await reconstruct(denoiser, input, input, { ...sampling, observe: () => peak.sample() });
    await deviceDone();
  });
  const inspection = await timed("inspection", options, async () => {
    await inspectOnce();
    peak.sample();
  });
  const gflop = costOf(config).gflopPerCall;
  return {
    call: { ...call, gflop, gflops: (gflop * 1000) / call.ms },
    reconstruction: { ...reconstruction, steps: samplingSteps(config.sampling).length },
    inspection,
    bytes: peak.bytes,
  };
}

/** What an inspection by a model costs that trains no network; what it keeps decides that. Needs a device. @throws the reason of the signal */
export async function benchModelInspection(
  model: Model,
  config: Config,
  options: MeasureOptions,
): Promise<InspectionCost> {
  const { prepare, signal } = options;
  const peak = new Peak();
  const images = madeUpImages(config, 1);
  using detector = await openDetector(model, config);
  const inspectOnce = (): Promise<void> => exhaust(detector.inspect(images, model.calibration, { signal }));
  await prepare?.(inspectOnce);
  const inspection = await timed("inspection", options, async () => {
    await inspectOnce();
    peak.sample();
  });
  return { inspection, bytes: peak.bytes };
}

/**
 * What an optimiser step costs, taken by `train` itself, so that a batch the adapter has no room for is divided as it would be.
 * Needs a device.
 *
 * @throws the reason of the signal
 */
export async function benchTraining(
  config: Config,
  { repetitions, tell, signal }: Omit<MeasureOptions, "prepare">,
): Promise<TrainingCost> {
  const { steps, batchSize } = config.training;
  let microBatch = batchSize;
  const notices: string[] = [];
  const milliseconds: number[] = [];
  const peak = new Peak();
  const stop = new AbortController();
  let started = performance.now();
  let spent = 0;
  const warmUp = 1;
  const stopAfter = warmUp + repetitions;
  // Neither the end of a training nor a checkpoint lies among the steps.
  const training = { ...config.training, steps: Math.max(steps, stopAfter + 1), logEvery: 1 };
  const without = { ...training, checkpointEvery: Number.MAX_SAFE_INTEGER };
  try {
    signal?.throwIfAborted();
    tell?.("training step", 0);
    await train({
      config: { ...config, training: without },
      train: madeUpImages(config, Math.min(batchSize, 4)),
      heldOut: madeUpImages(config, 0),
      signal: signal ? AbortSignal.any([stop.signal, signal]) : stop.signal,
      stopAfter,
      onMemory: (memory) => {
        microBatch = memory.microBatch;
      },
      onNotice: (sentence) => notices.push(sentence),
      onProgress: ({ step }) => {
        const elapsed = performance.now() - started;
        tell?.("training step", Math.max(step - warmUp, 0));
        peak.sample();
        // The first steps begin anew where the batch had to be divided.
        if (step <= warmUp) milliseconds.length = 0;
        else milliseconds.push(elapsed);
        spent = milliseconds.reduce((sum, each) => sum + each, 0);
        if (spent > patience * 1000) stop.abort();
        started = performance.now();
      },
    });
  } catch (error) {
    if (!(error instanceof LimitError || error instanceof OutOfMemoryError)) throw error;
    return { steps, notices, problem: error.message };
  }
  signal?.throwIfAborted();
  const ms = median(milliseconds)!;
  return {
    steps,
    seconds: (steps * ms) / 1000,
    step: {
      ...{ ms, repetitions: milliseconds.length, batchSize, microBatch },
      ...{ imagesPerSecond: (batchSize * 1000) / ms, bytes: peak.bytes },
    },
    notices,
  };
}

/** Does something once to warm up, and then again and again. */
async function timed(
  part: string,
  { repetitions, tell, signal }: MeasureOptions,
  work: () => Promise<void>,
): Promise<Timing> {
  signal?.throwIfAborted();
  tell?.(part, 0);
  await work();
  const milliseconds: number[] = [];
  const begun = performance.now();
  do {
    signal?.throwIfAborted();
    const started = performance.now();
    await work();
    milliseconds.push(performance.now() - started);
    tell?.(part, milliseconds.length);
  } while (milliseconds.length < repetitions && performance.now() - begun < patience * 1000);
  return { ms: median(milliseconds)!, repetitions: milliseconds.length };
}

/** Waits until the device is done with all it was given, without reading anything back. */
async function deviceDone(): Promise<void> {
  const device = currentDevice();
  await device.gpu.queue.onSubmittedWorkDone();
  throwFailure(device);
}

/** The most that was ever in use. */
class Peak {
  bytes = 0;
  sample(): void {
    this.bytes = Math.max(this.bytes, memory().liveBytes);
  }
}

/** Images of noise. */
function madeUpImages({ data }: Config, count: number): NamedImages {
  const size = data.imageSize;
  const bytes = Uint8Array.from(
    { length: imageSetBytes(count, size) },
    (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24,
  );
  return {
    images: { count, size, data: bytes },
    ids: Array.from({ length: count }, (_, i) => `${i}.png`),
  };
}

/** The network that compares features with random weights, as it inspects; undefined where only pixels are compared. */
async function madeUpExtractor({ features: { network } }: Config): Promise<ResNet | undefined> {
  if (network === "none") return undefined;
  using extractor = new ResNet({ ...createExtractor(network).options, init: "random", seed: 0 });
  await evaluate(...extractor.namedState().values());
  return await foldBatchNorm(extractor.eval());
}

async function exhaust(inspections: AsyncIterable<Inspection>): Promise<void> {
  for await (const _ of inspections);
}
