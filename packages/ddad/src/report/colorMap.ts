/** The colours of heat maps. */
import type { Color } from "../images/image.ts";

/**
 * Black, violet, red, orange, pale yellow in Oklab (lightness, green to red, blue to yellow). Lightness rises evenly,
 * so that equal steps of the score look equal, also in gray print and to the colour-blind.
 */
const anchors = [
  [0.12, 0.01, -0.03],
  [0.33, 0.08, -0.11],
  [0.54, 0.18, 0.01],
  [0.75, 0.1, 0.13],
  [0.96, -0.02, 0.1],
] as const;

const table: readonly Color[] = Array.from({ length: 256 }, (_, i) => {
  const position = (i / 255) * (anchors.length - 1);
  const below = Math.min(Math.floor(position), anchors.length - 2);
  const [from, to] = [anchors[below]!, anchors[below + 1]!];
  const t = position - below;
  return oklabToRgb(
    from[0] + (to[0] - from[0]) * t,
    from[1] + (to[1] - from[1]) * t,
    from[2] + (to[2] - from[2]) * t,
  );
});

/** The colour of a score in [0, 1]; lower and higher ones take the end colours. @throws RangeError for NaN */
export function heatColor(score: number): Color {
  if (Number.isNaN(score)) throw new RangeError("heatColor: the score is NaN, which has no colour.");
  return table[Math.round(Math.min(Math.max(score, 0), 1) * 255)]!;
}

/** Oklab to sRGB bytes (Björn Ottosson, "A perceptual color space for image processing", 2020). */
function oklabToRgb(lightness: number, a: number, b: number): Color {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  const [red, green, blue] = linear.map((value) => {
    const clipped = Math.min(Math.max(value, 0), 1);
    const encoded = clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055;
    return Math.round(encoded * 255);
  });
  return [red!, green!, blue!];
}
