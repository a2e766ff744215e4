/** Images of inspections on disk. */
import {
  type Calibration,
  type Config,
  createImage,
  cropRange,
  type DecisionThresholds,
  falseAlarmThreshold,
  type Image,
  pixelThreshold,
  type ScoreRange,
} from "@ddad/ddad/internal";

/**
 * The colour scale of maps: the same for all images of a model, with the threshold in its middle. Without a
 * calibration a distance of 1, half the range of a pixel, is the highest colour, and nothing is outlined.
 */
export function mapRange(
  calibration: Calibration | undefined,
  { detection }: Config,
): { range: ScoreRange; thresholds?: DecisionThresholds & { readonly pixel: number } } {
  if (calibration === undefined) return { range: colorRange(null) };
  const threshold = falseAlarmThreshold(calibration.scores, detection.falseAlarmRate);
  return {
    range: colorRange(threshold),
    thresholds: { image: threshold, pixel: pixelThreshold(calibration, detection.pixelFalseAlarmRate) },
  };
}

/** The colours' lowest and highest score: a threshold lies in the middle. @param threshold null where there is none */
export const colorRange = (threshold: number | null): ScoreRange =>
  threshold === null ? { from: 0, to: 1 } : { from: threshold / 4, to: threshold * 1.75 };

/** The part of an image that a map of this size shows: all of it, or the middle where the protocol crops. */
export function shownBy(mapSize: number, image: Image): Image {
  const { width, height, channels, data } = image;
  if (mapSize === width && mapSize === height) return image;
  const columns = cropRange(width, mapSize);
  const rows = cropRange(height, mapSize);
  const part = createImage(mapSize, mapSize, channels);
  for (let y = 0; y < mapSize; y++) {
    for (let x = 0; x < mapSize; x++) {
      const [fromX, fromY] = [x + columns.start - columns.before, y + rows.start - rows.before];
      if (fromX < 0 || fromY < 0 || fromX >= width || fromY >= height) continue;
      const from = (fromY * width + fromX) * channels;
      part.data.set(data.subarray(from, from + channels), (y * mapSize + x) * channels);
    }
  }
  return part;
}

/** Why a score is NaN or infinite, and what to do. */
export function describeNotFinite(score: number, { precision }: Config): string {
  const overflow =
    precision === "mixed"
      ? "f16 overflowed (precision is mixed: calibrate the model with --set precision=f32), or the weights"
      : "the weights of the model";
  return `The score is ${score}: ${overflow} are damaged or contain NaN or Infinity. Take the file of the model from its run again.`;
}
