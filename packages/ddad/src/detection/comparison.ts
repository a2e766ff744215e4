/** How an image is compared with its reconstruction: by pixels, and by what a pretrained network sees in both. */
import { compile, evaluate, Module, type Tensor, tensor } from "@ddad/nn";
import type { Config } from "../config/schema.ts";
import type { Calibration } from "./calibration.ts";
import { type DistanceName, distanceNames, pixelDistance, type WhitenedLayer } from "./distance.ts";
import { distanceLayers, type Extractor, featureDistance } from "./features.ts";
import {
  type ChannelStatistics,
  featureResiduals,
  type WhiteningConstants,
  whitenedDistance,
  whitenedLayers,
  whiteningWeights,
} from "./whitening.ts";

/** Distances of one image, `[size · size]` each, under the names of `distanceNames`. */
export type Distances = { readonly pixel: Float32Array } & {
  readonly [Name in Exclude<DistanceName, "pixel">]?: Float32Array | undefined;
};

/** What a layer's residual is whitened by. */
export type Whitening = NonNullable<Calibration["whitening"]>;

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
  const whiten = async (residual: Tensor, index: number, size: number): Promise<Float32Array> => {
    using distance = whitenedDistance(residual, size, constants[index]);
    return (await distance.data()) as Float32Array;
  };
  const withPixels = async (
    image: Tensor,
    reconstruction: Tensor,
    others: readonly (readonly [DistanceName, Float32Array])[],
  ): Promise<Distances> => {
    using pixel = pixelDistance(reconstruction, image);
    return { pixel: (await pixel.data()) as Float32Array, ...Object.fromEntries(others) };
  };
  return {
    layers,
    async distances(image, reconstruction) {
      await loadWeights(extractor);
      const others: [DistanceName, Float32Array][] = [];
      if (names.includes("feature")) {
        using feature = await compiledFeatures(extractor!, config).cosine(reconstruction, image);
        others.push(["feature", (await feature.data()) as Float32Array]);
      }
      if (layers.length > 0) {
        const residuals = await compiledFeatures(extractor!, config).residuals(image, reconstruction);
        for (const [index, residual] of residuals.entries()) {
          others.push([layers[index]!, await whiten(residual, index, image.shape[1]!)]);
          residual.dispose();
        }
      }
      return withPixels(image, reconstruction, others);
    },
    async residuals(image, reconstruction) {
      await loadWeights(extractor);
      const tensors = await compiledFeatures(extractor!, config).residuals(image, reconstruction);
      const found: Residual[] = [];
      for (const residual of tensors) {
        found.push({ shape: residual.shape, data: (await residual.data()) as Float32Array });
        residual.dispose();
      }
      return found;
    },
    async distancesOf(image, reconstruction, residuals) {
      const others: [DistanceName, Float32Array][] = [];
      for (const [index, { shape, data }] of residuals.entries()) {
        using residual = tensor(data, shape);
        others.push([layers[index]!, await whiten(residual, index, image.shape[1]!)]);
      }
      return withPixels(image, reconstruction, others);
    },
    [Symbol.dispose]() {
      for (const used of constants) {
        used?.mean.dispose();
        used?.weight.dispose();
      }
    },
  };
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
