/** Patches of images as vectors: what a trained network sees around each position. */
import { averagePool, concat, type FeatureName, resizeBilinear, ShapeError, type Tensor } from "@ddad/nn";
import { distanceLayers, type Extractor, extractFeatures } from "../detection/features.ts";

/** What patches can hold of each stage. */
export const patchChannels = ["equal", "all"] as const;

/**
 * What patches hold of each stage: as many channels as the stage with the fewest has, each the mean of neighbours (`equal`), or all
 * channels.
 */
export type PatchChannels = (typeof patchChannels)[number];

/**
 * The patches of images (Roth et al., "Towards total recall in industrial anomaly detection", CVPR 2022, section 3.1):
 * features of some stages, each position averaged with its eight neighbours (zeros around the features count), brought to the grid of
 * the first stage and joined.
 *
 * Of ResNet-50's stages 2 and 3, `equal` leaves 512 + 512 numbers, as in the published code; `all` are 512 + 1024, as in anomalib,
 * where stage 3 counts for more: it tells more of the image and less of the place.
 *
 * @param extractor in evaluation mode
 * @param images images `[N, H, W, 3]` in [−1, 1]
 * @returns `[N, h, w, C]`, h × w being the size of the first stage's features
 * @throws ShapeError when channels are to be averaged and those of a stage are no multiple of the fewest.
 */
export const patchFeatures = (
  extractor: Extractor,
  images: Tensor,
  layers: readonly FeatureName[] = distanceLayers,
  channels: PatchChannels = "equal",
): Tensor => joinStages(patchStages(extractor, images, layers, channels));

/** The features of each stage `[N, h, w, C]`, averaged as `patchFeatures` has them and not yet joined: smaller than patches. */
export function patchStages(
  extractor: Extractor,
  images: Tensor,
  layers: readonly FeatureName[],
  channels: PatchChannels,
): Tensor[] {
  if (layers.length === 0) throw new RangeError("patchFeatures: there is no layer to take patches from.");
  const features = extractFeatures(extractor, images, layers);
  const means = layers.map((layer) => averagePool(features[layer], { kernelSize: 3, stride: 1, padding: 1 }));
  if (channels === "all") return means;
  const fewest = Math.min(...means.map(({ shape }) => shape[3]!));
  return means.map((stage) => averageChannels(stage, fewest));
}

/** Stages `[N, h, w, C]` → patches `[N, h, w, C + …]` on the grid of the first. */
export function joinStages(stages: readonly Tensor[]): Tensor {
  const [, height, width] = stages[0]!.shape as [number, number, number, number];
  return concat(
    stages.map((stage) => {
      const [, h, w] = stage.shape;
      return h === height && w === width ? stage : resizeBilinear(stage, [height, width]);
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
