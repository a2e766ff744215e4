/** How an image is compared with its reconstruction: by pixels, and by what a pretrained network sees in both. */
import { compile, evaluate, Module, type Tensor, tensor } from "@ddad/nn";
import type { Config } from "../config/schema.ts";
import { type DistanceName, distanceNames, pixelDistance, type WhitenedLayer } from "./distance.ts";
import { distanceLayers, type Extractor, featureDistance } from "./features.ts";
import {
  type ChannelStatistics,
  featureResiduals,
  type Whitening,
  type WhiteningConstants,
  whitenedDistance,
  whitenedLayers,
  whiteningWeights,
} from "./whitening.ts";

/** Distances of one image, `[size · size]` each, under the names of `distanceNames`. */
export type Distances = { readonly pixel: Float32Array } & {
  readonly [Name in Exclude<DistanceName, "pixel">]?: Float32Array | undefined;
};

/** The residual of one layer, `[1, h, w, C]`. */
export type Residual = { readonly shape: readonly number[]; readonly data: Float32Array };

/** The comparison of a configuration. `image` and `reconstruction` are `[1, size, size, 3]`. */
export type Comparison = Disposable & {
  /** Layers that have residuals, in the order of `residuals`; none where the distance is not whitened. */
  readonly layers: readonly WhitenedLayer[];
  /** Distances of an image; whitened ones by what was given, without it as they are. */
  distances(image: Tensor, reconstruction: Tensor): Promise<Distances>;
  /** What whitened distances are made of. */
  residuals(image: Tensor, reconstruction: Tensor): Promise<Residual[]>;
  /** The same as `distances`, where the residuals are known. */
  distancesOf(image: Tensor, reconstruction: Tensor, residuals: readonly Residual[]): Promise<Distances>;
};

/** @param extractor where features are compared; its weights are loaded */
export function createComparison(
  config: Pick<Config, "detection" | "features">,
  extractor: Extractor | undefined,
  whitening?: Whitening,
): Comparison {
  const names = distanceNames(config);
  const layers = names.filter((name) => name !== "pixel" && name !== "feature");
  const constants = layers.map((layer) => constantsOf(whitening?.[layer]));
  const whiten = (residuals: readonly Tensor[], size: number): [DistanceName, Tensor][] =>
    residuals.map((residual, index) => [layers[index]!, whitenedDistance(residual, size, constants[index])]);
  return {
    layers,
    async distances(image, reconstruction) {
      if (extractor === undefined) return readDistances(image, reconstruction, []);
      await loadWeights(extractor);
      const { cosine, residuals } = compiledFeatures(extractor, config);
      if (layers.length === 0) {
        return readDistances(image, reconstruction, [["feature", await cosine(reconstruction, image)]]);
      }
      const between = await residuals(image, reconstruction);
      const distances = await readDistances(image, reconstruction, whiten(between, image.shape[1]!));
      for (const residual of between) residual.dispose();
      return distances;
    },
    async residuals(image, reconstruction) {
      await loadWeights(extractor);
      const tensors = await compiledFeatures(extractor!, config).residuals(image, reconstruction);
      const values = await Promise.all(tensors.map((residual) => residual.data()));
      for (const residual of tensors) residual.dispose();
      return tensors.map(({ shape }, index) => ({ shape, data: values[index] as Float32Array }));
    },
    async distancesOf(image, reconstruction, known) {
      const residuals = known.map(({ shape, data }) => tensor(data, shape));
      const distances = await readDistances(image, reconstruction, whiten(residuals, image.shape[1]!));
      for (const residual of residuals) residual.dispose();
      return distances;
    },
    [Symbol.dispose]() {
      for (const used of constants) {
        used?.mean.dispose();
        used?.weight.dispose();
      }
    },
  };
}

/** The distance of pixels and others, computed together and read; what was passed is disposed of. */
async function readDistances(
  image: Tensor,
  reconstruction: Tensor,
  others: readonly (readonly [DistanceName, Tensor])[],
): Promise<Distances> {
  const all = [["pixel", pixelDistance(reconstruction, image)] as const, ...others];
  const tensors = all.map(([, distance]) => distance);
  await evaluate(...tensors);
  const values = await Promise.all(tensors.map((distance) => distance.data()));
  for (const distance of tensors) distance.dispose();
  return Object.fromEntries(all.map(([name], index) => [name, values[index]])) as Distances;
}

/** μ and 1 / (σ + 10⁻⁴) on the device. */
function constantsOf(statistics: ChannelStatistics | undefined): WhiteningConstants | undefined {
  if (statistics === undefined) return undefined;
  const { mean } = statistics;
  return {
    mean: tensor(Float32Array.from(mean), [mean.length]),
    weight: tensor(whiteningWeights(statistics), [mean.length]),
  };
}

/** Weights loaded a moment ago must be in the buffers that compiled functions read. */
async function loadWeights(extractor: Extractor | undefined): Promise<void> {
  if (extractor instanceof Module) await evaluate(...extractor.namedState().values());
}

type CompiledFeatures = {
  readonly cosine: (a: Tensor, b: Tensor) => Promise<Tensor>;
  readonly residuals: (image: Tensor, reconstruction: Tensor) => Promise<Tensor[]>;
};

/** What an extractor computes by settings, recorded once. */
function compiledFeatures(
  extractor: Extractor,
  { detection, features: { imageSize } }: Pick<Config, "detection" | "features">,
): CompiledFeatures {
  const bySettings = compiledByExtractor.get(extractor) ?? new Map<string, CompiledFeatures>();
  compiledByExtractor.set(extractor, bySettings);
  const layers = detection.layers ?? (detection.distance === "whitened" ? whitenedLayers : distanceLayers);
  const settings = JSON.stringify([layers, imageSize]);
  const known = bySettings.get(settings);
  if (known) return known;
  const compiled = {
    cosine: compile((a: Tensor, b: Tensor) => featureDistance(extractor, a, b, layers, imageSize)),
    residuals: compile((image: Tensor, reconstruction: Tensor) =>
      featureResiduals(extractor, image, reconstruction, { layers, imageSize }),
    ),
  };
  bySettings.set(settings, compiled);
  return compiled;
}

const compiledByExtractor = new WeakMap<Extractor, Map<string, CompiledFeatures>>();
