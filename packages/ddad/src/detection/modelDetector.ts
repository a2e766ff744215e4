/** From a model, as a file holds it, to what inspects images. */
import { CheckpointError, evaluate, foldBatchNorm, type ResNet, type UNet } from "@ddad/nn";
import type { Config } from "../config/schema.ts";
import type { ImageSource, NamedImages } from "../data/imageSet.ts";
import { createDenoiser } from "../diffusion/denoiser.ts";
import { normaliserOf } from "../evaluation/evaluation.ts";
import { isImported, type Model } from "../model/modelFile.ts";
import { PatchCore } from "../patchcore/patchcore.ts";
import type { Normaliser } from "../report/protocol.ts";
import { calibrate, likenessOfSet } from "./calibrate.ts";
import { buildCalibration, type Calibration, fromGoodImages } from "./calibration.ts";
import { type Choice, type ChoiceOptions, chooseSettings } from "./choose/chooseSettings.ts";
import { combinedDetector } from "./combinedDetector.ts";
import { createExtractor } from "./features.ts";
import { type Inspection, type InspectOptions, inspect } from "./inspect.ts";
import type { GoodImages } from "./nearest.ts";
import { withSearchFeatures } from "./searchFeatures.ts";

/** A model that inspects by its own method, and owns its networks. */
export type ModelDetector = Disposable & {
  readonly config: Config;
  /**
   * Inspects images, a set of them or as they come; the results come in the same order.
   *
   * @param calibration one made with this configuration; without it distances stand as they are
   */
  inspect(
    images: ImageSource,
    calibration?: Calibration,
    options?: InspectOptions,
  ): AsyncGenerator<Inspection>;
  /** Calibrates on good images that were not trained on. */
  calibrate(images: NamedImages, options?: InspectOptions): Promise<Calibration>;
  /** Chooses sampling and distance on synthetic defects, see `chooseSettings`; absent where the method has neither. */
  choose?(heldOut: NamedImages, options: ChoiceOptions): Promise<Choice>;
  /** What distances are divided by, with a calibration or without one. */
  normaliser(calibration?: Calibration): Normaliser;
};

/** What `loadDetector` takes otherwise than from the model. */
export type ModelDetectorOptions = {
  /** Of the detection; that of the model without it. */
  readonly config?: Config;
  /** The network that compares features, where the model does not hold it; it is copied. */
  readonly extractor?: ResNet | undefined;
};

/**
 * Makes the networks of a model and loads their weights. Needs a device.
 *
 * ```ts
 * const model = decodeModel(await readCheckpoint("model.safetensors"));
 * using detector = await loadDetector(model);
 * for await (const { id, score } of detector.inspect(images, model.calibration)) console.log(id, score);
 * ```
 *
 * @throws CheckpointError where features are to be compared and neither the model nor `extractor` gives the network.
 */
export async function loadDetector(
  model: Model,
  { config = model.config, extractor: given }: ModelDetectorOptions = {},
): Promise<ModelDetector> {
  const extractor = await foldedExtractor(model, config, given);
  switch (config.method) {
    case "patchcore":
      return patchDetector(model, config, extractor!);
    case "patchcore+nearest":
      return combinedDetector(
        config,
        patchDetector(model, config, extractor!),
        await reconstructionDetector(model, config, extractor),
      );
    default:
      return reconstructionDetector(model, config, extractor);
  }
}

async function foldedExtractor(
  model: Model,
  { features: { network } }: Config,
  given: ResNet | undefined,
): Promise<ResNet | undefined> {
  if (network === "none") return undefined;
  if (given) return foldBatchNorm(given);
  if (!model.extractor) {
    throw new CheckpointError(
      `The model compares features of ${network}, but holds no weights of it; give that network as extractor.`,
    );
  }
  using loaded = createExtractor(network);
  loaded.loadPretrained(model.extractor);
  await evaluate(...loaded.namedState().values());
  // Awaited here: `using` disposes of what is loaded when the function returns.
  return await foldBatchNorm(loaded.eval());
}

async function reconstructionDetector(
  stored: Model,
  config: Config,
  extractor: ResNet | undefined,
): Promise<ModelDetector> {
  const denoiser = config.method === "ddad" ? await loadedDenoiser(stored, config) : undefined;
  const goodImages = fromGoodImages(config) ? await goodImagesOf(stored, config, extractor) : undefined;
  const detector = { config, denoiser, extractor, goodImages };
  return {
    config,
    inspect: (images, calibration, options) => inspect({ ...detector, calibration }, images, options),
    calibrate: (images, options) => calibrate(detector, images, options),
    choose: (heldOut, options) => chooseSettings(detector, heldOut, options),
    normaliser: (calibration) => normaliserOf({ ...detector, calibration }, isImported(stored)),
    [Symbol.dispose]() {
      denoiser?.dispose();
      extractor?.dispose();
    },
  };
}

async function loadedDenoiser(stored: Model, config: Config): Promise<UNet> {
  const denoiser = createDenoiser({ ...stored.config, precision: config.precision });
  denoiser.loadStateDict(stored.weights);
  await evaluate(...denoiser.namedState().values());
  if (denoiser.precision === "mixed") await denoiser.castWeightsToF16();
  return denoiser.eval();
}

/** @throws CheckpointError where the model keeps none */
async function goodImagesOf(
  { goodImages }: Model,
  { method, nearest }: Config,
  extractor: ResNet | undefined,
): Promise<GoodImages> {
  if (goodImages) {
    const searchable = nearest.by === "pixels" || goodImages.features !== undefined;
    return searchable ? goodImages : withSearchFeatures(goodImages, extractor!);
  }
  throw new CheckpointError(
    method === "ddad"
      ? "sampling.from is nearest, but the model keeps no good images; calibrate it with that setting, or leave it at self."
      : `The model is of method ${method}, but keeps no good images; fit it again.`,
  );
}

function patchDetector({ weights }: Model, config: Config, extractor: ResNet): ModelDetector {
  const { neighbours } = config.patchcore;
  const patchCore = PatchCore.fromState(extractor, weights, { neighbours });
  async function* inspectAll(
    images: ImageSource,
    { signal }: InspectOptions = {},
  ): AsyncGenerator<Inspection> {
    for await (const inspection of patchCore.inspect(images, config.detection)) {
      signal?.throwIfAborted();
      yield inspection;
    }
  }
  return {
    config,
    inspect: (images, _calibration, options) => inspectAll(images, options),
    calibrate: (images, options) =>
      buildCalibration(config, inspectAll(images, options), { likeness: likenessOfSet(images.images) }),
    normaliser: () => "none",
    [Symbol.dispose]() {
      patchCore.dispose();
      extractor.dispose();
    },
  };
}
