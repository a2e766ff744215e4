/** What a network trained on photographs sees in pictures: the features that defects are told by, and how far they differ. */
import {
  averagePool,
  cosineDistance,
  type FeatureName,
  normaliseForImageNet,
  resizeBilinear,
  type Tensor,
} from "@ddad/nn";

/** Whatever gives features of normalised pictures; `ResNet` is one. */
export type Extractor = {
  /**
   * @param x `[N, H, W, 3]`, normalised as ImageNet
   * @returns name → `[N, h, w, channels]`
   */
  features<N extends FeatureName>(x: Tensor, names: readonly N[]): Record<N, Tensor>;
};

/** Stages whose features are compared for the anomaly map. */
export const distanceLayers = ["layer2", "layer3"] as const satisfies readonly FeatureName[];

/** Features of pictures `[N, H, W, 3]` in [−1, 1]. */
export const featuresOf = <N extends FeatureName>(
  extractor: Extractor,
  images: Tensor,
  layers: readonly N[],
): Record<N, Tensor> => extractor.features(normaliseForImageNet(images), layers);

/**
 * D_f: for each stage 1 − the cosine over channels of the 3×3 means of both pictures' features, enlarged to the pictures'
 * size, and the sum of these (the paper's D_f with the published code's patches: zeros around the features count in the
 * means).
 *
 * @param extractor in evaluation mode
 * @param a pictures `[N, H, W, 3]` in [−1, 1]
 * @param b the same shape
 * @returns `[N, H, W, 1]`
 */
export function featureDistance(
  extractor: Extractor,
  a: Tensor,
  b: Tensor,
  layers: readonly FeatureName[] = distanceLayers,
): Tensor {
  const [of, and] = [featuresOf(extractor, a, layers), featuresOf(extractor, b, layers)];
  const [, height, width] = a.shape as [number, number, number, number];
  const distances = layers.map((layer) => {
    const distance = cosineDistance(patches(of[layer]), patches(and[layer]));
    return resizeBilinear(distance.reshape([...distance.shape, 1]), [height, width], { alignCorners: true });
  });
  const [first, ...others] = distances;
  if (first === undefined) throw new RangeError("featureDistance: there is no layer to compare.");
  return others.reduce((sum, distance) => sum.add(distance), first);
}

/** Each position's mean over its 3×3 neighbourhood. */
const patches = (features: Tensor): Tensor => averagePool(features, { kernelSize: 3, stride: 1, padding: 1 });
