/** Images in rows: what was seen, what it should look like, where they differ, and the truth. */
import { type Color, createImage, type Image, toRgb } from "../images/image.ts";
import { resizeBilinear } from "../images/resize.ts";
import { drawText, fontHeight } from "./font.ts";

/** An image of a panel and the line above it. */
export type PanelTile = { image: Image; caption?: string };

/** How a panel is laid out and coloured. */
export type PanelOptions = {
  /** Side in pixels of every tile; 192 without it. */
  tileSize?: number;
  /** Pixels between tiles and round them; 8 without it. */
  gap?: number;
  background?: Color;
  ink?: Color;
};

/**
 * Composes rows of tiles, each with its caption above it. Images of another size are resized smoothly; rows may differ in
 * length, and an absent tile leaves its place free.
 */
export function composePanel(
  rows: readonly (readonly (PanelTile | undefined)[])[],
  options: PanelOptions = {},
): Image {
  const { tileSize = 192, gap = 8, background = [255, 255, 255], ink = [40, 44, 52] } = options;
  const columns = Math.max(0, ...rows.map((row) => row.length));
  if (columns === 0) throw new RangeError("composePanel: there is no tile to show.");
  const scale = Math.max(1, Math.floor(tileSize / 96));
  const captionHeight = fontHeight * scale + gap;
  const heights = rows.map((row) => tileSize + gap + (row.some((tile) => tile?.caption) ? captionHeight : 0));
  const height = heights.reduce((sum, rowHeight) => sum + rowHeight, gap);
  const panel = createImage(columns * (tileSize + gap) + gap, height, 3, background);
  let top = gap;
  rows.forEach((row, index) => {
    const bottom = top + heights[index]! - gap;
    row.forEach((tile, column) => {
      if (tile === undefined) return;
      const left = gap + column * (tileSize + gap);
      if (tile.caption) drawText(panel, tile.caption, left, top, scale, ink);
      paste(panel, toRgb(resizeBilinear(tile.image, tileSize, tileSize)), left, bottom - tileSize);
    });
    top = bottom + gap;
  });
  return panel;
}

function paste(target: Image, source: Image, left: number, top: number): void {
  for (let y = 0; y < source.height; y++) {
    const row = source.data.subarray(y * source.width * 3, (y + 1) * source.width * 3);
    target.data.set(row, ((top + y) * target.width + left) * 3);
  }
}
