/** The networks of a model, ready to inspect pictures. */
import { existsSync } from "node:fs";
import { evaluate, foldBatchNorm, type ResNet, readCheckpoint, type StateDict } from "@ddad/nn";
import { type Calibration, calibrationOf } from "../calibration.ts";
import type { Config } from "../config.ts";
import { calibrate, type Inspection, inspect, type Pictures } from "../detection.ts";
import { DataError } from "../errors.ts";
import { normaliserOf } from "../evaluation.ts";
import { createExtractor } from "../features.ts";
import type { Model } from "../modelFile.ts";
import { PatchCore, patchCoreDefaults } from "../patchcore/patchcore.ts";
import type { Normaliser } from "../report/protocol.ts";
import { loadDenoiser } from "./model.ts";
import { cachedWeights } from "./weights.ts";

/** A model that inspects, and owns its networks. */
export type OpenDetector = Disposable & {
  readonly config: Config;
  inspect(pictures: Pictures, calibration?: Calibration): AsyncGenerator<Inspection>;
  calibrate(pictures: Pictures): Promise<Calibration>;
  /** What its distances are divided by, with a calibration or without one. */
  normaliser(calibration?: Calibration): Normaliser;
};

/**
 * The detector of a model. Needs a device.
 *
 * @param config of the detection; that of the model without it.
 */
export async function openDetector(model: Model, config: Config = model.config): Promise<OpenDetector> {
  const loaded = await loadExtractor(config, model.extractor);
  const extractor = loaded && (await foldBatchNorm(loaded));
  loaded?.dispose();
  return config.method === "patchcore"
    ? openPatchCore(model, config, extractor!)
    : openReconstructor(model, config, extractor);
}

async function openReconstructor(
  model: Model,
  config: Config,
  extractor: ResNet | undefined,
): Promise<OpenDetector> {
  const denoiser = loadDenoiser(model);
  await evaluate(...denoiser.namedState().values());
  const detector = { config, denoiser, extractor };
  return {
    config,
    inspect: (pictures, calibration) => inspect({ ...detector, calibration }, pictures),
    calibrate: (pictures) => calibrate(detector, pictures),
    normaliser: (calibration) => normaliserOf({ ...detector, calibration }),
    [Symbol.dispose]() {
      denoiser.dispose();
      extractor?.dispose();
    },
  };
}

function openPatchCore({ weights }: Model, config: Config, extractor: ResNet): OpenDetector {
  const { neighbours } = config.patchcore;
  const patchCore = PatchCore.fromState(extractor, weights, { ...patchCoreDefaults, neighbours });
  const inspectAll = (pictures: Pictures) => patchCore.inspect(pictures, config.detection);
  return {
    config,
    inspect: inspectAll,
    async calibrate(pictures) {
      const found: Inspection[] = [];
      for await (const inspection of inspectAll(pictures)) found.push(inspection);
      return calibrationOf(config, {
        scores: found.map(({ score }) => score),
        maps: found.map(({ map }) => map),
      });
    },
    normaliser: () => "none",
    [Symbol.dispose]() {
      patchCore.dispose();
      extractor.dispose();
    },
  };
}

/**
 * The network that compares features, as it can be adapted: in evaluation mode, its batch norms not folded. Undefined where
 * only pixels are compared.
 *
 * @param stored weights that a model holds; otherwise those of the file that the configuration names, or downloaded ones.
 * @throws DataError when there are none.
 */
export async function loadExtractor(config: Config, stored?: StateDict): Promise<ResNet | undefined> {
  const { network } = config.features;
  if (network === "none") return undefined;
  const weights = stored ?? (await readCheckpoint(weightsFile(config)));
  const extractor = createExtractor(network);
  extractor.loadPretrained(weights);
  await evaluate(...extractor.namedState().values());
  return extractor.eval();
}

/** The model with the weights of its extractor, so that it needs no other file. */
export async function withExtractor(model: Model): Promise<Model> {
  if (model.extractor) return model;
  using extractor = await loadExtractor(model.config);
  return extractor ? { ...model, extractor: await extractor.stateDict() } : model;
}

/** Finds out before hours of training whether the weights of the extractor are there. @throws DataError */
export function checkWeights(config: Config): void {
  if (config.features.network === "none") return;
  const path = weightsFile(config);
  if (!existsSync(path)) throw new DataError(`features.weights is ${path}, which does not exist.`);
}

function weightsFile({ features: { network, weights } }: Config): string {
  const path = weights ?? (network === "resnet50v2" ? undefined : cachedWeights(network));
  if (path !== undefined) return path;
  const fetch = network === "resnet50v2" ? "" : `run ddad weights fetch ${network}, `;
  throw new DataError(
    `features.network is ${network}, but its weights are not here: ${fetch}give their file by features.weights, ` +
      "or set features.network to none to compare pixels only.",
  );
}
