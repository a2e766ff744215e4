/** The quantile above the median of the normal distribution (Abramowitz and Stegun 26.2.23, to 4.5e-4). */
export function normalQuantile(probability: number): number {
  const tail = Math.sqrt(-2 * Math.log(1 - probability));
  return (
    tail -
    (2.515517 + 0.802853 * tail + 0.010328 * tail ** 2) /
      (1 + 1.432788 * tail + 0.189269 * tail ** 2 + 0.001308 * tail ** 3)
  );
}
