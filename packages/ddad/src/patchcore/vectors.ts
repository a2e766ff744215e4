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

/** |a − b|² of row i of `a` and row j of `b`, summed in f64. */
export function crossDistance(
  a: Float32Array,
  i: number,
  b: Float32Array,
  j: number,
  dimension: number,
): number {
  const [from, other] = [i * dimension, j * dimension];
  const quads = dimension - (dimension % 4);
  // Four sums, as each addition would wait for the one before.
  let [s, t, u, v] = [0, 0, 0, 0];
  for (let k = 0; k < quads; k += 4) {
    const p = a[from + k]! - b[other + k]!;
    const q = a[from + k + 1]! - b[other + k + 1]!;
    const r = a[from + k + 2]! - b[other + k + 2]!;
    const w = a[from + k + 3]! - b[other + k + 3]!;
    s += p * p;
    t += q * q;
    u += r * r;
    v += w * w;
  }
  for (let k = quads; k < dimension; k++) s += (a[from + k]! - b[other + k]!) ** 2;
  return s + t + (u + v);
}

/** [0, count) in ranges of at most `length`. */
export function ranges(count: number, length: number): (readonly [from: number, to: number])[] {
  return Array.from(
    { length: Math.ceil(count / length) },
    (_, k) => [k * length, Math.min((k + 1) * length, count)] as const,
  );
}
