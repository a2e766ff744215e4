/** The networks of a model, ready to inspect images: where weights lie that a model does not hold. */
import { existsSync } from "node:fs";
import {
  type Config,
  createExtractor,
  DataError,
  loadDetector,
  type Model,
  type ModelDetector,
} from "@ddad/ddad/internal";
import { evaluate, type ResNet, readCheckpoint, type StateDict } from "@ddad/nn";
import { cachedWeights } from "../weights/fetch.ts";

/**
 * The detector of a model; what it does not hold is looked for. Needs a device.
 *
 * @param model as `openModel` gives it
 * @param config of the detection; default: that of the model
 * @returns what inspects; dispose of it to free its networks
 * @throws DataError where the weights of the extractor are nowhere
 */
export async function openDetector(model: Model, config: Config = model.config): Promise<ModelDetector> {
  using extractor = model.extractor ? undefined : await loadExtractor(config);
  return await loadDetector(model, { config, extractor });
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
