/** A patch with a ragged border, filled with another good image's texture (Zavrtanik et al., "DRAEM", ICCV 2021). */
import { mix, type Random, smoothstep } from "../procedural/noise.ts";
import { uniform } from "../random.ts";
import { contentOf, drawPlace } from "./content.ts";
import { drawJitter, drawScale, type LayKind, toByte } from "./shape.ts";

/** Radius of the patch as a fraction of the side, and the least in pixels. */
const radii = [0.03, 0.2] as const;
const leastRadius = 2;

/** Where noise and window together are above this, the patch is: the paper's threshold of the noise. */
const threshold = 0.5;

/** How much of the texture shows. */
const opacities = [0.2, 1] as const;

/**
 * Thresholds Perlin noise and blends a texture into what is above. The paper's noise covers the image; here a window holds it round
 * one place where the image shows something, as noise all over an object's image lies on its ground for the most part.
 */
export const perlin: LayKind = ({ size, pixels, content, texture }, random) => {
  const radius = Math.max(drawScale(...radii, random) * size, leastRadius);
  const [centerX, centerY] = drawPlace(content, size, random);
  const angle = random() * Math.PI;
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  // Cells of the noise, longer one way than the other.
  const cellX = radius * drawScale(0.35, 1.4, random);
  const cellY = radius * drawScale(0.35, 1.4, random);
  const seed = Math.floor(random() * 2 ** 32);
  const source = drawSource(size, [centerX, centerY], drawPlace(contentOf(texture), size, random), random);
  const jitter = drawJitter(random);
  const opacity = mix(...opacities, random());
  // The noise is at most 1, so that beyond this distance the window leaves nothing above the threshold.
  const reach = Math.ceil(radius * Math.sqrt(2 - threshold));
  const data = pixels.slice();
  let area = 0;
  for (let y = Math.max(centerY - reach, 0); y <= Math.min(centerY + reach, size - 1); y++) {
    for (let x = Math.max(centerX - reach, 0); x <= Math.min(centerX + reach, size - 1); x++) {
      const [dx, dy] = [x - centerX, y - centerY];
      const window = 1 - (dx * dx + dy * dy) / (radius * radius);
      const noise = perlinNoise(seed, (c * dx + s * dy) / cellX, (c * dy - s * dx) / cellY);
      if (noise + window <= threshold) continue;
      area++;
      const from = 3 * source(x, y);
      const target = 3 * (y * size + x);
      for (let k = 0; k < 3; k++) {
        data[target + k] = toByte(mix(pixels[target + k]!, jitter(texture.data[from + k]!), opacity));
      }
    }
  }
  return { data, area };
};

/**
 * Which pixel of the texture comes to a pixel: the texture flipped or not, turned by 0, 90, 180 or 270°, and shifted so that `from`
 * comes to `to`; mirrored at its borders.
 */
function drawSource(
  size: number,
  to: readonly [number, number],
  from: readonly [number, number],
  random: Random,
): (x: number, y: number) => number {
  const flip = random() < 0.5 ? -1 : 1;
  const [c, s] = [
    [1, 0],
    [0, 1],
    [-1, 0],
    [0, -1],
  ][Math.floor(4 * random())] as [number, number];
  const mirror = (at: number): number => {
    const within = ((at % (2 * size)) + 2 * size) % (2 * size);
    return within < size ? within : 2 * size - 1 - within;
  };
  return (x, y) => {
    const [dx, dy] = [flip * (x - to[0]), y - to[1]];
    return mirror(from[1] + s * dx + c * dy) * size + mirror(from[0] + c * dx - s * dy);
  };
}

/** Perlin's gradient noise in −1 … 1: slopes of random direction at whole coordinates, joined smoothly. */
export function perlinNoise(seed: number, x: number, y: number): number {
  const [i, j] = [Math.floor(x), Math.floor(y)];
  const slope = (column: number, row: number): number => {
    const angle = 2 * Math.PI * uniform(seed, column, row);
    return Math.cos(angle) * (x - column) + Math.sin(angle) * (y - row);
  };
  const [u, v] = [smoothstep(0, 1, x - i), smoothstep(0, 1, y - j)];
  const top = mix(slope(i, j), slope(i + 1, j), u);
  const bottom = mix(slope(i, j + 1), slope(i + 1, j + 1), u);
  return Math.SQRT2 * mix(top, bottom, v);
}
