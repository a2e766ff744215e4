/** One inspected image as a row of a panel. */
import type { Image } from "../images/image.ts";
import { maskImage } from "../images/mask.ts";
import { resizeBilinear } from "../images/resize.ts";
import { drawContour } from "./contour.ts";
import { enlargeMap, enlargeMask } from "./enlarge.ts";
import { overlayHeat, type ScoreRange } from "./overlay.ts";
import type { PanelTile } from "./panel.ts";

/** What a row shows of one image. */
export type InspectedImage = {
  input: Image;
  /** What the network takes the image for without its defects, where it makes such an image. */
  reconstruction?: Image | undefined;
  /** Anomaly map `[H · W]` of the input's size. */
  map: ArrayLike<number>;
  /** Ground truth `[H · W]`, where it is known. */
  mask?: ArrayLike<number>;
  /** Scores shown as the lowest and the highest colour; the same for all images that are to be compared. */
  range: ScoreRange;
  /** What is outlined in the map, `[H · W]`: what `markDefects` gives; nothing without it. */
  marked?: ArrayLike<number>;
};

/** Captions above the tiles of a row; none where absent. */
export type RowCaptions = { input?: string; reconstruction?: string; map?: string; mask?: string };

/** Captions for the first row of a panel. */
export const rowCaptions: Required<RowCaptions> = {
  input: "input",
  reconstruction: "reconstruction",
  map: "anomaly map",
  mask: "ground truth",
};

/** Smaller images are enlarged by a whole factor to at least this, so that lines around what is marked are thin beside it. */
const readable = 192;

/**
 * Input, reconstruction, the map over the input with a line around what is marked, and the ground truth where there is one. Images
 * whose long side is below 192 pixels are enlarged smoothly, by a whole factor.
 */
export function detectionRow(image: InspectedImage, captions: RowCaptions = {}): PanelTile[] {
  const { input, reconstruction, map, mask, range, marked } = image;
  const factor = Math.ceil(readable / Math.max(input.width, input.height));
  const [width, height] = [input.width * factor, input.height * factor];
  const masked = (values: ArrayLike<number>): Uint8Array =>
    enlargeMask(values, input.width, input.height, factor);
  const shown = resizeBilinear(input, width, height);
  const overlay = overlayHeat(shown, enlargeMap(map, input.width, input.height, factor), range);
  if (marked)
    drawContour(overlay, masked(marked), Math.max(1, Math.round(Math.max(width, height) / readable)));
  const tiles: [keyof RowCaptions, Image][] = [
    ["input", shown],
    ...(reconstruction
      ? [["reconstruction", resizeBilinear(reconstruction, width, height)] as [keyof RowCaptions, Image]]
      : []),
    ["map", overlay],
  ];
  if (mask !== undefined) tiles.push(["mask", maskImage(masked(mask), width, height)]);
  return tiles.map(([name, image]) => ({ image, caption: captions[name] ?? "" }));
}
