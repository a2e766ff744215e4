/** Control: how bright an image is. */
import type { Image } from "../../images/image.ts";
import { auroc, averagePrecision, type Labels } from "../../metrics/curves.ts";

/** Mean grey value of an image over its pixels and channels, 0 … 255; sums of bytes are exact. */
export function meanBrightness({ data }: Pick<Image, "data">): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]!;
  return sum / data.length;
}

/** Which images the better direction calls defective. */
export type BrightnessDirection = "brighter" | "darker";

/**
 * Brightness as an image score, in the direction that has the larger AUROC; brighter where both have the same. The labels
 * choose the direction, so the AUROC is at least 0.5.
 *
 * @param brightness of every image, as `meanBrightness` gives it
 * @throws RangeError as `auroc`
 */
export function brightnessScores(
  labels: Labels,
  brightness: readonly number[],
): { direction: BrightnessDirection; scores: number[]; image: { auroc: number; ap: number } } {
  const negated = brightness.map((value) => -value);
  const [brighter, darker] = [auroc(labels, brightness), auroc(labels, negated)];
  const direction = brighter >= darker ? "brighter" : "darker";
  const scores = direction === "brighter" ? [...brightness] : negated;
  const image = { auroc: Math.max(brighter, darker), ap: averagePrecision(labels, scores) };
  return { direction, scores, image };
}
