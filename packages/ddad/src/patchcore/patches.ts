/** Patches of images as vectors: what a trained network sees around each position. */
import { averagePool, concat, type FeatureName, resizeBilinear, ShapeError, type Tensor } from "@ddad/nn";
import { distanceLayers, type Extractor, extractFeatures } from "../detection/features.ts";

/**
 * The patches of images (Roth et al., "Towards total recall in industrial anomaly detection", CVPR 2022, section 3.1):
 * features of some stages, each position averaged with its eight neighbours, brought to the grid of the first stage and
 * joined. Neighbouring channels are averaged until every stage has as many as the one with the fewest, so that each has
 * the same say; of ResNet-50's stages 2 and 3 that leaves 512 + 512, as in the published code.
 *
 * @param extractor in evaluation mode
 * @param images images `[N, H, W, 3]` in [−1, 1]
 * @returns `[N, h, w, C]`, h × w being the size of the first stage's features
 * @throws ShapeError when the channels of a stage are no multiple of the fewest.
 */
export function patchFeatures(
  extractor: Extractor,
  images: Tensor,
  layers: readonly FeatureName[] = distanceLayers,
): Tensor {
  if (layers.length === 0) throw new RangeError("patchFeatures: there is no layer to take patches from.");
  const features = extractFeatures(extractor, images, layers);
  const stages = layers.map((layer) => features[layer]);
  const channels = Math.min(...stages.map(({ shape }) => shape[3]!));
  const [, height, width] = stages[0]!.shape as [number, number, number, number];
  return concat(
    stages.map((stage) => {
      const means = averageChannels(averagePool(stage, { kernelSize: 3, stride: 1, padding: 1 }), channels);
      const [, h, w] = means.shape;
      return h === height && w === width ? means : resizeBilinear(means, [height, width]);
    }),
    3,
  );
}

/** x `[N, H, W, C]` → `[N, H, W, channels]`, each the mean of C / channels neighbours. */
function averageChannels(x: Tensor, channels: number): Tensor {
  const [n, height, width, from] = x.shape as [number, number, number, number];
  if (from === channels) return x;
  if (from % channels !== 0) {
    throw new ShapeError(
      `patchFeatures: ${from} channels cannot be averaged in equal groups to ${channels}; take other layers.`,
    );
  }
  return x.reshape([n, height, width, channels, from / channels]).mean(4);
}
