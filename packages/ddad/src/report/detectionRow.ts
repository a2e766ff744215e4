/** One inspected image as a row of a panel. */
import type { Image } from "../images/image.ts";
import { maskImage } from "../images/mask.ts";
import { outlineMask, overlayHeat, type ScoreRange } from "./overlay.ts";
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

/** Input, reconstruction, the map over the input, and the ground truth where there is one. */
export function detectionRow(image: InspectedImage, captions: RowCaptions = {}): PanelTile[] {
  const { input, reconstruction, map, mask, range, marked } = image;
  const { width, height } = input;
  const overlay = overlayHeat(input, map, range);
  const tiles: [keyof RowCaptions, Image][] = [
    ["input", input],
    ...(reconstruction ? [["reconstruction", reconstruction] as [keyof RowCaptions, Image]] : []),
    ["map", marked ? outlineMask(overlay, marked, [255, 255, 255]) : overlay],
  ];
  if (mask !== undefined) tiles.push(["mask", maskImage(mask, width, height)]);
  return tiles.map(([name, image]) => ({ image, caption: captions[name] ?? "" }));
}
