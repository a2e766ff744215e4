/** An adaptation from its first step, or from where it stopped, to its end: what it learns from, when to stop, what to keep. */
import {
  type AnyVariable,
  Module,
  type ResNet,
  type StateDict,
  type Tensor,
  type TensorSpec,
  tensor,
} from "@ddad/nn";
import { heldBytes } from "@ddad/nn/internal";
import { settingsBound } from "../config/binding.ts";
import type { Config } from "../config/schema.ts";
import { batchIndices } from "../data/batches.ts";
import { gatherPixels, type NamedImages } from "../data/imageSet.ts";
import { hashText } from "../data/random.ts";
import { createSchedule, type Denoiser } from "../diffusion/denoiser.ts";
import { planReconstruction, reconstruct } from "../diffusion/reconstruction.ts";
import { ConfigError } from "../errors.ts";
import { bytesOfAll, memoryOf, type PlannedMemory } from "../memory/planned.ts";
import { type AdaptationPair, type AdaptationState, DomainAdapter } from "./domainAdapter.ts";

/** Held-out images that are looked at: more would take longer than the steps between two looks. */
const mostHeldOut = 32;

/** What an adaptation needs to resume as if it had never stopped. */
export type AdaptationRunState = AdaptationState & {
  /** What it has been made with so far, and must be to its end. */
  readonly settings: AdaptationSettings;
  /** Of the strict protocol: the best look at held-out images, and the looks since. */
  readonly best?: { readonly step: number; readonly loss: number } | undefined;
  readonly looksSinceBest: number;
};

/** Settings by their paths, `adaptation.learningRate` and the like. */
export type AdaptationSettings = { readonly [path: string]: string | number | boolean };

/** All settings that change what an adaptation comes to; how long it may take and how often it looks are free. */
export const adaptationSettings = (config: Config): AdaptationSettings =>
  settingsBound("adaptation", config) as AdaptationSettings;

/** Where an adaptation is, told after every step. */
export type AdaptationProgress = {
  readonly step: number;
  readonly steps: number;
  /** Of the last step. */
  readonly loss: number;
  /** Of held-out images, where they were looked at after this step. */
  readonly validationLoss?: number | undefined;
};

/** What an adaptation works with, and whom it tells. */
export type AdaptationOptions = {
  readonly config: Config;
  /** In evaluation mode. */
  readonly denoiser: Denoiser;
  /** As it was before any adaptation; it is changed. */
  readonly extractor: ResNet;
  readonly train: NamedImages;
  /** Held-out good images, by which the strict protocol chooses the network and stops. */
  readonly heldOut: NamedImages;
  readonly resume?: AdaptationRunState | undefined;
  /**
   * Stops before the next sampling step or after the current optimiser step. A pair that is not complete is dropped; a resumed
   * adaptation makes it again, to the same weights.
   */
  readonly signal?: AbortSignal | undefined;
  /** Before the first step: what it will take on the device. */
  readonly onMemory?: (memory: PlannedMemory) => void;
  readonly onProgress?: (progress: AdaptationProgress) => void;
  /** At every look at held-out images (every `checkEvery` steps under the paper's protocol), when stopped and at the end. */
  readonly onCheckpoint?: (state: AdaptationRunState) => void | Promise<void>;
  /** A network better than all before it; under the paper's protocol the last one. */
  readonly onBest?: (extractor: StateDict, step: number) => void | Promise<void>;
};

/** How an adaptation ended. */
export type AdaptationResult = {
  /** Steps done. */
  readonly steps: number;
  /** Step of the network that is kept: 0 where none was better than the one at the start. */
  readonly kept: number;
  readonly stopped: "after all steps" | "held-out images" | "by request";
};

/**
 * Adapts an extractor to images and their reconstructions.
 *
 * The strict protocol looks at held-out good images every `adaptation.checkEvery` steps: their adaptation loss, as they and
 * their reconstructions will be compared in detection. The network with the lowest one is kept, the one at the start included,
 * and `adaptation.patience` looks without a lower one end it. The paper's protocol takes all steps and keeps the last network.
 *
 * @throws ConfigError where it would resume with other settings than it began with; the reason of the signal where it is aborted before
 * the first step, when there is nothing new to save.
 */
export async function adapt(options: AdaptationOptions): Promise<AdaptationResult> {
  const { config, extractor, heldOut, resume, signal, onProgress } = options;
  const { steps, checkEvery, patience } = config.adaptation;
  const settings = adaptationSettings(config);
  if (resume) checkSettings(resume.settings, settings);
  const looks = config.protocol === "strict" && heldOut.ids.length > 0;
  using adapter = await DomainAdapter.create(extractor, config.adaptation, resume);
  const looked = looks ? Math.min(heldOut.ids.length, mostHeldOut) : 0;
  if (adapter.step < steps) options.onMemory?.(planAdaptation(adapter, options, looked));
  const pairs = looks ? await heldOutPairs(options) : [];
  let best = resume?.best;
  let looksSinceBest = resume?.looksSinceBest ?? 0;
  const checkpoint = async (): Promise<void> =>
    options.onCheckpoint?.({ ...(await adapter.state()), settings, best, looksSinceBest });

  try {
    if (looks && best === undefined) best = { step: 0, loss: await meanLoss(adapter, pairs) };
    while (adapter.step < steps && looksSinceBest < patience && !signal?.aborted) {
      const pair = await orStopped(trainingPair(options, adapter.step), signal);
      if (pair === undefined) {
        await checkpoint();
        break;
      }
      const loss = await adapter.takeStep(pair);
      disposeAll([pair]);
      const { step } = adapter;
      const atCheck = step % checkEvery === 0 || step === steps;
      const validationLoss = looks && atCheck ? await meanLoss(adapter, pairs) : undefined;
      if (validationLoss !== undefined) {
        looksSinceBest++;
        if (validationLoss < best!.loss) {
          best = { step, loss: validationLoss };
          looksSinceBest = 0;
          await options.onBest?.(await extractor.stateDict(), step);
        }
      }
      onProgress?.({ step, steps, loss, validationLoss });
      if (atCheck || signal?.aborted) await checkpoint();
    }
    const complete = adapter.step >= steps;
    if (!looks && complete) await options.onBest?.(await extractor.stateDict(), adapter.step);
    return {
      steps: adapter.step,
      kept: looks ? best!.step : complete ? adapter.step : 0,
      stopped: complete ? "after all steps" : signal?.aborted ? "by request" : "held-out images",
    };
  } finally {
    disposeAll(pairs);
    extractor.eval();
  }
}

/** The device memory of an adaptation. @param looked held-out images, which stay on the device with their reconstructions. */
function planAdaptation(
  adapter: DomainAdapter,
  { config, denoiser }: AdaptationOptions,
  looked: number,
): PlannedMemory {
  const { extractor, frozen, optimizer } = adapter;
  const size = config.data.imageSize;
  const images = (count: number): TensorSpec => ({ shape: [count, size, size, 3], dtype: "f32" });
  const batch = images(Math.floor(config.adaptation.batchSize / 2));
  const variablesOf = (network: unknown): Iterable<AnyVariable> =>
    network instanceof Module ? network.namedState().values() : [];
  const moments = heldBytes(optimizer.variables) - heldBytes(optimizer.parameters);
  const held = {
    denoiser: heldBytes(variablesOf(denoiser)),
    extractor: heldBytes(variablesOf(extractor)),
    "the extractor as it was": heldBytes(variablesOf(frozen)),
    "optimiser state": moments,
    ...(looked > 0 && { "held-out images": 2 * bytesOfAll([images(looked)]) }),
  };
  // Input, target, and the state of the sampler before a step and after it; noise where it draws any.
  const passed = (config.sampling.eta > 0 ? 5 : 4) * bytesOfAll([batch]);
  const plans = [...adapter.plan(batch.shape), planReconstruction(denoiser, batch.shape, config.sampling)];
  return memoryOf(held, passed, plans);
}

function checkSettings(then: AdaptationSettings, now: AdaptationSettings): void {
  const changed = [...new Set([...Object.keys(then), ...Object.keys(now)])].filter(
    (path) => then[path] !== now[path],
  );
  if (changed.length === 0) return;
  throw new ConfigError(
    changed.map(
      (path) =>
        `${path} was ${then[path] ?? "not set"} when the adaptation began and is ${now[path] ?? "not set"} now: set it back, or start again.`,
    ),
  );
}

/** One half of a batch, noised and guided to the other half. */
async function trainingPair(options: AdaptationOptions, step: number): Promise<AdaptationPair> {
  const { config, train } = options;
  const { batchSize, guidance } = config.adaptation;
  const half = Math.floor(batchSize / 2);
  const { seed } = config.training;
  const indices = batchIndices({ seed, step, batchSize: 2 * half, count: train.ids.length });
  const targets = indices.slice(0, half);
  return reconstructed(options, train, indices.slice(half), targets, guidance, step);
}

/** Held-out images and their reconstructions as in detection, as many at a time as in a step. */
async function heldOutPairs(options: AdaptationOptions): Promise<AdaptationPair[]> {
  const { config, heldOut } = options;
  const half = Math.floor(config.adaptation.batchSize / 2);
  const indices = heldOut.ids.map((_, index) => index).slice(0, mostHeldOut);
  const pairs: AdaptationPair[] = [];
  try {
    for (let from = 0; from < indices.length; from += half) {
      const part = indices.slice(from, from + half);
      pairs.push(await reconstructed(options, heldOut, part, part, config.sampling.guidance, 0));
    }
  } catch (error) {
    disposeAll(pairs);
    throw error;
  }
  return pairs;
}

/** What work gives, or undefined where the signal has ended it. */
async function orStopped<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return undefined;
    throw error;
  }
}

async function reconstructed(
  { config, denoiser, signal }: AdaptationOptions,
  { images, ids }: NamedImages,
  inputs: readonly number[],
  targets: readonly number[],
  guidance: number,
  step: number,
): Promise<AdaptationPair> {
  const batch = (indices: readonly number[]): Tensor =>
    tensor(gatherPixels(images, indices), [indices.length, images.size, images.size, 3]);
  const target = batch(targets);
  using input = batch(inputs);
  try {
    const reconstruction = await reconstruct(denoiser, input, target, {
      ...config.sampling,
      guidance,
      schedule: createSchedule(config),
      images: inputs.map((index) => hashText(`${ids[index]!} in step ${step} of the adaptation`)),
      signal,
    });
    return { reconstruction, target };
  } catch (error) {
    target.dispose();
    throw error;
  }
}

async function meanLoss(adapter: DomainAdapter, pairs: readonly AdaptationPair[]): Promise<number> {
  let [total, count] = [0, 0];
  for (const pair of pairs) {
    const images = pair.target.shape[0]!;
    total += images * (await adapter.validate(pair));
    count += images;
  }
  return total / count;
}

function disposeAll(pairs: readonly AdaptationPair[]): void {
  for (const { reconstruction, target } of pairs) {
    reconstruction.dispose();
    target.dispose();
  }
}
