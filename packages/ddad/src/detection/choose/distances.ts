/** Every distance that the comparisons of a grid are made of, for one image at a time: features are taken once for all of them. */
import { compile, concat, evaluate, Module, type Tensor, tensor } from "@ddad/nn";
import type { Config } from "../../config/schema.ts";
import type { NamedPixels } from "../../data/imageSet.ts";
import { anomalyMap, type DistanceScales, pixelDistance, type WhitenedLayer } from "../distance.ts";
import { type Extractor, extractFeatures, patchDistance, patchMeans } from "../features.ts";
import { Remembered } from "../remembered.ts";
import { type Whitening, whitenedDistance, whitenedLayers, whiteningWeights } from "../whitening.ts";
import type { ComparisonSettings } from "./grid.ts";

/** What is compared, before it is known what is usual in good images. */
export type Compared = {
  /** Distance of pixels, then the cosine distance of each layer, `[1 + cosine layers, size, size, 1]`. */
  readonly plain: Float32Array;
  /** Residuals of the layers that are whitened, `[1, h, w, C]` each. */
  readonly residuals: readonly Values[];
};

/** A tensor in the host's memory. */
type Values = { readonly shape: readonly number[]; readonly data: Float32Array };

/** Distances of an image in the order of `components`, `[components · side · side]`. */
export type ComponentMaps = Float32Array;

/** A distance by itself, whatever it is added to. */
type Component = "pixel" | `cosine ${WhitenedLayer}` | `whitened ${WhitenedLayer}`;

/** Distances of all comparisons of a grid. */
export type GridDistances = {
  /** Layers whose residuals are whitened. */
  readonly whitened: readonly WhitenedLayer[];
  /** Compares an image, whose features are remembered by its id, with a reconstruction `[1, size, size, 3]`. */
  compare(image: NamedPixels, reconstruction: Tensor): Promise<Compared>;
  /** Distances by what whitens the residuals. */
  whiten(compared: Compared, size: number, whitening: Whitening): Promise<ComponentMaps>;
  /** The same blurred and cropped, as the maps that they are added up to. */
  smooth(maps: ComponentMaps, size: number): Promise<ComponentMaps>;
  /** The sum of the distances of a comparison. @param comparison undefined where pixels alone are compared */
  sum(maps: ComponentMaps, comparison: ComparisonSettings | undefined, weights: DistanceScales): Float32Array;
};

/**
 * @param comparisons none where pixels alone are compared
 * @param extractor where features are compared; its weights are loaded
 * @param cacheBytes room for features of images, which serve every reconstruction; those of further images are taken again
 */
export function createGridDistances(
  { features: { imageSize }, detection }: Pick<Config, "features" | "detection">,
  extractor: Extractor | undefined,
  comparisons: readonly ComparisonSettings[],
  cacheBytes: number,
): GridDistances {
  const layersOf = (kind: ComparisonSettings["distance"]): WhitenedLayer[] =>
    whitenedLayers.filter((layer) =>
      comparisons.some(({ distance, layers }) => distance === kind && layers.includes(layer)),
    );
  const [cosine, whitened] = [layersOf("cosine"), layersOf("whitened")];
  const layers = whitenedLayers.filter((layer) => cosine.includes(layer) || whitened.includes(layer));
  const components: Component[] = [
    "pixel",
    ...cosine.map((layer) => `cosine ${layer}` as const),
    ...whitened.map((layer) => `whitened ${layer}` as const),
  ];
  const patches = compile((image: Tensor) => {
    if (layers.length === 0) return [];
    const features = extractFeatures(extractor!, image, layers, imageSize);
    return layers.map((layer) => patchMeans(features[layer]));
  });
  const compare = compile((image: Tensor, reconstruction: Tensor, ...both: Tensor[]) => {
    const [, height, width] = image.shape as [number, number, number, number];
    const of = (layer: WhitenedLayer): Tensor => both[layers.indexOf(layer)]!;
    const and = (layer: WhitenedLayer): Tensor => both[layers.length + layers.indexOf(layer)]!;
    const cosines = cosine.map((layer) => patchDistance(of(layer), and(layer), [height, width]));
    return {
      plain: concat([pixelDistance(reconstruction, image), ...cosines], 0),
      residuals: whitened.map((layer) => of(layer).sub(and(layer))),
    };
  });
  const known = new Remembered<string, Values[]>(cacheBytes);
  const patchesOf = async (id: string, image: Tensor): Promise<Tensor[]> => {
    const remembered = known.get(id);
    if (remembered) return remembered.map(({ data, shape }) => tensor(data, shape));
    const found = await patches(image);
    const values: Values[] = [];
    for (const each of found) values.push(await valuesOf(each));
    known.keep(
      id,
      values,
      values.map(({ data }) => data),
    );
    return found;
  };
  const smooth = compile((maps: Tensor) => anomalyMap([{ distance: maps }], detection));
  return {
    whitened,
    async compare({ id, pixels }, reconstruction) {
      // Weights loaded a moment ago must be in the buffers that the compiled function reads.
      if (extractor instanceof Module) await evaluate(...extractor.namedState().values());
      using image = tensor(pixels, reconstruction.shape);
      const both = [...(await patchesOf(id, image)), ...(await patches(reconstruction))];
      const { plain, residuals } = await compare(image, reconstruction, ...both);
      const compared: { plain: Float32Array; residuals: Values[] } = {
        plain: (await plain.data()) as Float32Array,
        residuals: [],
      };
      for (const residual of residuals) compared.residuals.push(await valuesOf(residual));
      for (const used of [...both, plain, ...residuals]) used.dispose();
      return compared;
    },
    async whiten({ plain, residuals }, size, whitening) {
      const maps = new Float32Array(components.length * size * size);
      maps.set(plain);
      for (const [k, { shape, data }] of residuals.entries()) {
        const statistics = whitening[whitened[k]!]!;
        using residual = tensor(data, shape);
        using mean = tensor(Float32Array.from(statistics.mean), [shape[3]!]);
        using weight = tensor(whiteningWeights(statistics), [shape[3]!]);
        using distance = whitenedDistance(residual, size, { mean, weight });
        maps.set((await distance.data()) as Float32Array, plain.length + k * size * size);
      }
      return maps;
    },
    async smooth(maps, size) {
      using before = tensor(maps, [components.length, size, size, 1]);
      using after = await smooth(before);
      return (await after.data()) as Float32Array;
    },
    sum(maps, comparison, weights) {
      const map = new Float32Array(maps.length / components.length);
      const add = (component: Component, weight: number): void => {
        if (weight === 0) return;
        const start = components.indexOf(component) * map.length;
        for (let k = 0; k < map.length; k++) map[k]! += weight * maps[start + k]!;
      };
      add("pixel", weights.pixel);
      for (const layer of comparison?.layers ?? []) {
        if (comparison!.distance === "cosine") add(`cosine ${layer}`, weights.feature!);
        else add(`whitened ${layer}`, weights[layer]!);
      }
      return map;
    },
  };
}

const valuesOf = async (found: Tensor): Promise<Values> => ({
  shape: found.shape,
  data: (await found.data()) as Float32Array,
});
