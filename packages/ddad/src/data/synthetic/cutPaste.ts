/** A rectangle of the image, pasted at another place of it (Li et al., "CutPaste", CVPR 2021). */
import { drawPlace } from "./content.ts";
import { drawJitter, drawScale, type LayKind, toByte } from "./shape.ts";

/** Area of the rectangle as a fraction of the image, and width over height; the paper's ranges. */
const areas = [0.02, 0.15] as const;
const aspects = [0.3, 3.3] as const;

/**
 * Cuts anywhere, pastes with its middle where the image shows something, with a little more or less contrast and brightness.
 * Small rectangles are as frequent as large ones (the paper draws the area evenly).
 */
export const cutPaste: LayKind = ({ size, pixels, content }, random) => {
  const area = drawScale(...areas, random);
  const aspect = drawScale(...aspects, random);
  const side = (fraction: number): number => Math.min(Math.max(Math.round(fraction * size), 2), size - 1);
  const width = side(Math.sqrt(area * aspect));
  const height = side(Math.sqrt(area / aspect));
  const fromX = Math.floor(random() * (size - width + 1));
  const fromY = Math.floor(random() * (size - height + 1));
  const [x, y] = drawPlace(content, size, random);
  const toX = Math.min(Math.max(x - (width >> 1), 0), size - width);
  const toY = Math.min(Math.max(y - (height >> 1), 0), size - height);
  const jitter = drawJitter(random);
  const data = pixels.slice();
  for (let j = 0; j < height; j++) {
    const source = 3 * ((fromY + j) * size + fromX);
    const target = 3 * ((toY + j) * size + toX);
    for (let k = 0; k < 3 * width; k++) data[target + k] = toByte(jitter(pixels[source + k]!));
  }
  return { data, area: width * height };
};
