/** Arithmetic on vectors that lie as the rows of one array. */

/** |row|² of each row. */
export function squaredLengths(values: Float32Array, dimension: number): Float32Array {
  return Float32Array.from({ length: values.length / dimension }, (_, row) => {
    let total = 0;
    for (let i = row * dimension; i < (row + 1) * dimension; i++) total += values[i]! ** 2;
    return total;
  });
}

/** |a − b|² of two rows. */
export function squaredDistance(points: Float32Array, dimension: number, a: number, b: number): number {
  let sum = 0;
  for (let i = a * dimension, j = b * dimension; i < (a + 1) * dimension; i++, j++) {
    sum += (points[i]! - points[j]!) ** 2;
  }
  return sum;
}

/** [0, count) in ranges of at most `length`. */
export function ranges(count: number, length: number): (readonly [from: number, to: number])[] {
  return Array.from(
    { length: Math.ceil(count / length) },
    (_, k) => [k * length, Math.min((k + 1) * length, count)] as const,
  );
}
