/**
 * What is decided about an image, by one rule: **an image is defective exactly when it has at least one region**.
 *
 * The threshold of the image decides. Its regions are where the map reaches the threshold of pixels; a good image has none,
 * even if single pixels of it reach that threshold. A defective image whose map stays below it everywhere has one region: the
 * part around the largest value of its map. Both happen because the two thresholds come from different numbers: the score of
 * images and of pixels, and in PatchCore the score of an image is not the largest value of its map.
 */

import type { Config } from "../config/schema.ts";
import { findRegions } from "../metrics/regions.ts";
import type { Calibration } from "./calibration.ts";
import type { ImageDescription } from "./imageDescription.ts";
import { describeUnlikeness, fewestImages, isFarBelow } from "./likeness.ts";

/** A decision: `unlike` is an image that shows nothing of what the model was trained on, so that its score says nothing. */
export type Decision = "good" | "defective" | "unlike";

/** From which values on an image, and a pixel, is defective. */
export type DecisionThresholds = {
  readonly image: number;
  /** Default: that of the image. */
  readonly pixel?: number | undefined;
};

/** Part of the largest value of a map that bounds the region of a defective image without any other. */
const aroundPeak = 0.8;

/**
 * The pixels of a map that are marked as defective: at least one of a defective image, none of any other.
 *
 * @param map `[mapSize · mapSize]`
 */
export function markDefects(
  map: Float32Array,
  defective: boolean,
  { image, pixel = image }: DecisionThresholds,
): Uint8Array {
  if (!defective) return new Uint8Array(map.length);
  const marked = Uint8Array.from(map, (value) => Number(value >= pixel));
  if (marked.includes(1)) return marked;
  const size = Math.sqrt(map.length);
  const peak = map.reduce((best, value, i) => (value > map[best]! ? i : best), 0);
  const bound = map[peak]! > 0 ? map[peak]! * aroundPeak : map[peak]!;
  const { labels } = findRegions(
    Uint8Array.from(map, (value) => Number(value >= bound)),
    size,
    size,
  );
  return Uint8Array.from(labels, (label) => Number(label === labels[peak]));
}

/** Why an image is unlike what the model was trained on; undefined where it is not, or the calibration cannot tell. */
export function unlikenessOf(
  { method }: Pick<Config, "method">,
  { likeness, scores }: Pick<Calibration, "likeness" | "scores">,
  image: ImageDescription,
  score: number,
): string | undefined {
  if (likeness === undefined) return undefined;
  const reason = describeUnlikeness(likeness, image);
  if (reason !== undefined) return reason;
  return method === "ddad" && isFarBelow(scores, score)
    ? "its score is far below those of all good images"
    : undefined;
}

/** What to know of a calibration by which no image can be called unlike, though it is made on enough; undefined of any other. */
export function describeMissingLikeness({
  likeness,
  scores,
}: Pick<Calibration, "likeness" | "scores">): string | undefined {
  if (likeness !== undefined || scores.length < fewestImages) return undefined;
  return (
    "The model was calibrated by an earlier version: an image that shows no part at all may be called good. " +
    "Run ddad calibrate to have such images called unlike the training images."
  );
}
