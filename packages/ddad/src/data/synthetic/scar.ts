/** A thin strip of the image, turned and pasted at another place of it ("CutPaste-Scar", Li et al., CVPR 2021). */
import { drawPlace } from "./content.ts";
import { drawJitter, drawScale, type LayKind, toByte } from "./shape.ts";

/** Width and length at a side of 256 pixels, in pixels; the paper's ranges. */
const widths = [2, 16] as const;
const lengths = [10, 25] as const;

/** What they are at least, in pixels, at any side: less would be lost between the pixels. */
const leastWidth = 2;
const leastLength = 4;

/** Cuts anywhere; turns by any angle (the paper: up to 45° either way); pastes where the image shows something. */
export const scar: LayKind = ({ size, pixels, content }, random) => {
  const width = Math.max((drawScale(...widths, random) * size) / 256, leastWidth);
  const length = Math.max((drawScale(...lengths, random) * size) / 256, leastLength);
  const angle = random() * Math.PI;
  const fromX = random() * (size - length);
  const fromY = random() * (size - width);
  const jitter = drawJitter(random);
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const reach = Math.ceil(Math.hypot(width, length) / 2);
  // Pushed inside, so that no border cuts it.
  const [centerX, centerY] = drawPlace(content, size, random).map((at) =>
    Math.max(Math.min(at, size - 1 - reach), Math.min(reach, size >> 1)),
  ) as [number, number];
  const data = pixels.slice();
  let area = 0;
  for (let y = Math.max(centerY - reach, 0); y <= Math.min(centerY + reach, size - 1); y++) {
    for (let x = Math.max(centerX - reach, 0); x <= Math.min(centerX + reach, size - 1); x++) {
      const [dx, dy] = [x - centerX, y - centerY];
      const along = c * dx + s * dy + length / 2;
      const across = c * dy - s * dx + width / 2;
      if (along < 0 || along >= length || across < 0 || across >= width) continue;
      area++;
      const source = 3 * (Math.floor(fromY + across) * size + Math.floor(fromX + along));
      const target = 3 * (y * size + x);
      for (let k = 0; k < 3; k++) data[target + k] = toByte(jitter(pixels[source + k]!));
    }
  }
  return { data, area };
};
