/** Shows images where there is only text. */

/** From dark to bright. */
const shades = " .:-=+*#%@";

/**
 * Images as text, five next to each other: a character for each pixel of every second row, because characters are twice as high as
 * wide.
 *
 * @param pixels [N, size, size] in −1 (dark) … 1 (bright)
 */
export function textOfImages(pixels: Float32Array, size: number): string {
  const shade = (value: number): string => shades[Math.round(((value + 1) / 2) * (shades.length - 1))] ?? "?";
  const lines: string[] = [];
  for (let first = 0; first < pixels.length; first += 5 * size ** 2) {
    const images = [0, 1, 2, 3, 4].map((k) => pixels.subarray(first + k * size ** 2));
    for (let row = 0; row < size; row += 2) {
      const cells = images.map((image) => [...image.subarray(row * size, (row + 1) * size)]);
      lines.push(cells.flat().map(shade).join(""));
    }
  }
  return lines.join("\n");
}
