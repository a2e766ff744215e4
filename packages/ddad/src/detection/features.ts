/** What a network trained on photographs sees in images: the features that reveal defects, and how far they differ. */
import {
  averagePool,
  cosineDistance,
  type FeatureName,
  normaliseForImageNet,
  ResNet,
  type ResNetName,
  resizeBilinear,
  resNetSizes,
  type Tensor,
} from "@ddad/nn";

const networks = {
  resnet18: "resnet18",
  resnet34: "resnet34",
  resnet50: "resnet50",
  resnet101: "resnet101",
  resnet152: "resnet152",
  wide_resnet50_2: "wideResnet50_2",
  wide_resnet101_2: "wideResnet101_2",
  resnet50v2: "resnet50v2",
} as const satisfies Record<string, ResNetName>;

/** Networks that can compare features, by torchvision's names. */
export type ExtractorNetwork = keyof typeof networks;

/** Names of the networks that can compare features. */
export const extractorNetworks = Object.keys(networks) as [ExtractorNetwork, ...ExtractorNetwork[]];

/** A network up to the last layer whose features are used; its weights are yet to be loaded. */
export const createExtractor = (network: ExtractorNetwork): ResNet =>
  new ResNet({ ...resNetSizes[networks[network]], lastLayer: "layer3", init: "zeros" });

/** Whatever gives features of normalised images; `ResNet` is one. */
export type Extractor = {
  /**
   * @param x `[N, H, W, 3]`, normalised as ImageNet
   * @returns name → `[N, h, w, channels]`
   */
  features<N extends FeatureName>(x: Tensor, names: readonly N[]): Record<N, Tensor>;
};

/** Stages whose features are compared for the anomaly map. */
export const distanceLayers = ["layer2", "layer3"] as const satisfies readonly FeatureName[];

/**
 * Features of images `[N, H, W, 3]` in [−1, 1].
 *
 * @param least side to which smaller images are enlarged first; 0 leaves all as they are
 */
export function extractFeatures<N extends FeatureName>(
  extractor: Extractor,
  images: Tensor,
  layers: readonly N[],
  least = 0,
): Record<N, Tensor> {
  const [, height, width] = images.shape as [number, number, number, number];
  const enlarged = Math.max(height, width) < least ? resizeBilinear(images, [least, least]) : images;
  return extractor.features(normaliseForImageNet(enlarged), layers);
}

/**
 * D_f: for each stage 1 − the cosine over channels of the 3×3 means of both images' features, enlarged to the images'
 * size, and the sum of these (the paper's D_f with the published code's patches: zeros around the features count in the
 * means).
 *
 * @param extractor in evaluation mode
 * @param a images `[N, H, W, 3]` in [−1, 1]
 * @param b the same shape
 * @param least side to which smaller images are enlarged before their features are taken; 0 leaves all as they are
 * @returns `[N, H, W, 1]`
 */
export function featureDistance(
  extractor: Extractor,
  a: Tensor,
  b: Tensor,
  layers: readonly FeatureName[] = distanceLayers,
  least = 0,
): Tensor {
  const [of, and] = [a, b].map((images) => extractFeatures(extractor, images, layers, least)) as [
    Record<FeatureName, Tensor>,
    Record<FeatureName, Tensor>,
  ];
  const [, height, width] = a.shape as [number, number, number, number];
  const distances = layers.map((layer) =>
    patchDistance(patchMeans(of[layer]), patchMeans(and[layer]), [height, width]),
  );
  const [first, ...others] = distances;
  if (first === undefined) throw new RangeError("featureDistance: there is no layer to compare.");
  return others.reduce((sum, distance) => sum.add(distance), first);
}

/** 1 − the cosine over channels of the patches of one stage, `[N, h, w, C]` each, enlarged: `[N, H, W, 1]`. */
export function patchDistance(a: Tensor, b: Tensor, size: readonly [number, number]): Tensor {
  const distance = cosineDistance(a, b);
  return resizeBilinear(distance.reshape([...distance.shape, 1]), [...size], { alignCorners: true });
}

/** Each position's mean over its 3×3 neighbourhood; zeros around the features count. */
export const patchMeans = (features: Tensor): Tensor =>
  averagePool(features, { kernelSize: 3, stride: 1, padding: 1 });
