/** How far an image is from its reconstruction, pixel by pixel, and the map made of such distances. */
import { gaussianBlur, pad, slice, type Tensor } from "@ddad/nn";
import type { Config } from "../config/schema.ts";
import { whitenedLayers } from "./whitening.ts";

/** D_p: the mean over channels of |a − b|. a and b `[N, H, W, C]` → `[N, H, W, 1]`. */
export const pixelDistance = (a: Tensor, b: Tensor): Tensor => a.sub(b).abs().mean(3, { keepDims: true });

/** A distance and what it counts for in the map. */
export type WeightedDistance = {
  /** `[N, H, W, 1]`. */
  readonly distance: Tensor;
  /** A number, or a tensor that broadcasts to the distance; 1 without it. */
  readonly weight?: number | Tensor;
};

/** What images are compared by: pixels, the cosine of features, or the whitened residual of a layer's features. */
export type DistanceName = "pixel" | "feature" | WhitenedLayer;

/** Layers of which each has a whitened residual of its own. */
export type WhitenedLayer = "layer1" | "layer2" | "layer3";

/** A number for each distance of an image; of features only those that are compared. */
export type DistanceScales = { readonly pixel: number } & {
  readonly [Name in Exclude<DistanceName, "pixel">]?: number | undefined;
};

/** The distances that an image is compared by, in the order in which they are added up. */
export function distanceNames({
  features: { network },
  detection: { distance, layers = [...whitenedLayers] },
}: Pick<Config, "detection" | "features">): readonly DistanceName[] {
  if (network === "none") return ["pixel"];
  return distance === "whitened" ? ["pixel", ...layers] : ["pixel", "feature"];
}

/**
 * What the distances count for in a map: Σ D / s + v · D_p / s_p over the distances D of features, the scales s fixed by a calibration
 * (1 without one), v = `detection.pixelWeight`; without features D_p / s_p.
 */
export function distanceWeights(
  config: Pick<Config, "detection" | "features">,
  scales: DistanceScales | undefined,
): DistanceScales {
  const names = distanceNames(config);
  const countsFor = (name: DistanceName): number =>
    name === "pixel" && names.length > 1 ? config.detection.pixelWeight : 1;
  return Object.fromEntries(
    names.map((name) => [name, countsFor(name) / (scales?.[name] ?? 1)]),
  ) as DistanceScales;
}

/**
 * The same as the published code has it: D_f + v · (max D_f / max D_p) · D_p, with both maxima over the whole batch, so that
 * what is said of an image depends on its companions.
 *
 * @param maxima of each image of the batch
 */
export function batchWeights(maxima: readonly DistanceScales[], pixelWeight: number): DistanceScales {
  const feature = Math.max(...maxima.map((image) => image.feature!));
  const pixel = Math.max(...maxima.map((image) => image.pixel));
  return { pixel: pixel === 0 ? 0 : (pixelWeight * feature) / pixel, feature: 1 };
}

/** What is done to a map once the distances are added up. */
export type AnomalyMapOptions = {
  /** Deviation of the blur in pixels; 0 does not blur. */
  readonly blurSigma: number;
  /** Side of the middle square that is kept; 0 keeps the whole frame. */
  readonly crop?: number;
};

/**
 * The weighted sum of the distances, blurred and cropped (in this order, as published).
 *
 * @returns `[N, H, W, 1]`, or `[N, crop, crop, 1]`.
 */
export function anomalyMap(
  distances: readonly WeightedDistance[],
  { blurSigma, crop = 0 }: AnomalyMapOptions,
): Tensor {
  const [first, ...others] = distances.map(({ distance, weight = 1 }) =>
    weight === 1 ? distance : distance.mul(weight),
  );
  if (first === undefined) throw new RangeError("anomalyMap: there is no distance to make a map of.");
  const sum = others.reduce((map, distance) => map.add(distance), first);
  const blurred = blurSigma === 0 ? sum : gaussianBlur(sum, { sigma: blurSigma, taps: blurTaps(blurSigma) });
  return crop === 0 ? blurred : centerCrop(blurred, crop);
}

/** The blur reaches four deviations to each side: 33 taps at the published 4 pixels. */
export const blurTaps = (sigma: number): number => 2 * Math.ceil(4 * sigma) + 1;

/** The middle `size` × `size` of maps `[N, H, W, C]`; smaller maps get zeros around them (as torchvision's CenterCrop). */
export function centerCrop(map: Tensor, size: number): Tensor {
  const [, height, width] = map.shape as [number, number, number, number];
  const rows = cropRange(height, size);
  const columns = cropRange(width, size);
  const padded =
    rows.padding + columns.padding === 0
      ? map
      : pad(
          map,
          [0, rows.before, columns.before, 0],
          [0, rows.padding - rows.before, columns.padding - columns.before, 0],
        );
  return slice(padded, [0, rows.start, columns.start], [undefined, rows.start + size, columns.start + size]);
}

/** Where a centre crop to `size` begins in an axis of `extent`, and how many zeros it needs, `before` of them in front. */
export function cropRange(extent: number, size: number): { start: number; padding: number; before: number } {
  const padding = Math.max(size - extent, 0);
  return {
    start: roundHalfToEven((extent + padding - size) / 2),
    padding,
    before: Math.floor(padding / 2),
  };
}

/** Python's `round`, which torchvision centres with. */
function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  return below + (value - below > 0.5 || (value - below === 0.5 && below % 2 === 1) ? 1 : 0);
}
