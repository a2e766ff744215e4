/** Methods that train nothing, in the folder of a run: good images are kept, or their patches. */
import { join } from "node:path";
import {
  type Config,
  GoodImages,
  type ImageSet,
  type Model,
  PatchCore,
  withSearchFeatures,
} from "@ddad/ddad/internal";
import { foldBatchNorm, type ResNet, type StateDict } from "@ddad/nn";
import { formatConfig } from "../configFile.ts";
import { notice, type Progress, progress, type StageOptions } from "../events.ts";
import { writeWhole } from "../files.ts";
import { checkWeights, loadExtractor } from "../model/detector.ts";
import { forgetModel, modelFile, recordFiles } from "../model/open.ts";
import { openDevice } from "../openDevice.ts";
import { lockRun } from "../runLock.ts";
import { completeInto } from "./calibrate.ts";
import { loadTraining } from "./data.ts";

/** What `fitRun` kept. */
export interface FitResult {
  /** Good images, where the method compares with the nearest one. */
  readonly images?: number | undefined;
  /** Patches of good images, where the method compares patches. */
  readonly patches?: number | undefined;
  /** What it took, without reading images. */
  readonly seconds: number;
}

/**
 * Keeps the good images of a data set, a memory bank of their patches, or both, as the method asks, and writes the model, calibrated on
 * the images held out.
 *
 * @param folder of the run
 * @throws DataError where images or weights are missing, or there is no memory for the patches; the reason of the signal, and then
 * nothing is kept
 */
export async function fitRun(folder: string, config: Config, options: StageOptions = {}): Promise<FitResult> {
  checkWeights(config);
  using lock = lockRun(folder);
  const { train, heldOut } = await loadTraining(config, folder, options);
  forgetModel(folder);
  const device = await openDevice(options);
  const started = performance.now();
  notice(options, `${train.ids.length} good images (${heldOut.ids.length} held out), ${device.name}`);
  writeWhole(join(folder, "config.yaml"), formatConfig(config));
  lock.keep(recordFiles, (message) => notice(options, message));
  using extractor = await loadExtractor(config);
  const comparesPatches = config.method === "patchcore" || config.method === "patchcore+nearest";
  const bank = comparesPatches ? await bankOf(extractor!, train.images, config, options) : undefined;
  const compares = config.method !== "patchcore";
  const goodImages = compares
    ? await searchable(new GoodImages(train.images), extractor, config, options)
    : undefined;
  const model: Model = {
    ...{ config, step: 0, weights: bank?.state ?? new Map() },
    ...{
      extractor: await extractor?.stateDict(),
      goodImages,
    },
  };
  await completeInto(join(folder, modelFile), model, heldOut, options);
  return {
    images: compares ? train.ids.length : undefined,
    patches: bank?.patches,
    seconds: (performance.now() - started) / 1000,
  };
}

/** Good images with what they are found by. */
async function searchable(
  goodImages: GoodImages,
  loaded: ResNet | undefined,
  { nearest }: Config,
  options: StageOptions,
): Promise<GoodImages> {
  if (nearest.by === "pixels") return goodImages;
  using extractor = await foldBatchNorm(loaded!);
  const told = progress(options, "features", "images");
  return await withSearchFeatures(goodImages, extractor, {
    signal: options.signal,
    progress: (done, count) => told.update(done, count),
  });
}

/** A memory bank of patches of good images. */
async function bankOf(
  loaded: ResNet,
  images: ImageSet,
  config: Config,
  options: StageOptions,
): Promise<{ readonly state: StateDict; readonly patches: number }> {
  using extractor = await foldBatchNorm(loaded);
  const told = new Map<string, Progress>();
  using patchCore = await PatchCore.fit(extractor, images, {
    ...config.patchcore,
    progress: (stage, done, count) => {
      options.signal?.throwIfAborted();
      if (!told.has(stage)) told.set(stage, progress(options, stage, ""));
      told.get(stage)!.update(done, count);
    },
  });
  return { state: patchCore.stateDict(), patches: patchCore.bank.size };
}
