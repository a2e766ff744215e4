/** Student's distribution. */
import { normalQuantile } from "./normalQuantile.ts";

/** The quantile above the median of Student's distribution (Abramowitz and Stegun 26.7.5). */
export function studentQuantile(probability: number, degrees: number): number {
  const z = normalQuantile(probability);
  return (
    z +
    (z ** 3 + z) / (4 * degrees) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * degrees ** 3)
  );
}
