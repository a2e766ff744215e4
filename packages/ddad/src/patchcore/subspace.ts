/** The few directions in which vectors differ most: what is nearly all of their distances. */
import { evaluate, matmul, tensor } from "@ddad/nn";
import { uniform } from "../data/random.ts";

/** A centre and orthonormal directions through it. */
export type Subspace = {
  /** `[dimension]`. */
  readonly mean: Float32Array;
  /** `[width · dimension]`, one direction a row; rows are 0 where the vectors have fewer directions. */
  readonly directions: Float32Array;
  readonly width: number;
};

/** Vectors that directions are found from; of more, as many that lie evenly among them. */
const sampleRows = 2048;
/** Each brings the directions nearer to the principal ones. Two leave 1 % of what they could still hold. */
const iterations = 2;
/** Shorter than this part of the longest, a direction is rounding. */
const negligible = 1e-5;

/**
 * Nearly the principal directions, by iteration of a random subspace (Halko, Martinsson and Tropp, "Finding structure with
 * randomness", SIAM Review 2011, algorithm 4.4). The products are made on the device, the directions made orthonormal in f64.
 *
 * @param values `[rows · dimension]`
 * @param width how many directions, at most `dimension`
 */
export async function principalSubspace(
  values: Float32Array,
  dimension: number,
  width: number,
): Promise<Subspace> {
  const rows = values.length / dimension;
  const count = Math.min(rows, sampleRows);
  const sample = new Float32Array(count * dimension);
  const mean = new Float64Array(dimension);
  for (let k = 0; k < count; k++) {
    const from = Math.floor((k * rows) / count) * dimension;
    for (let i = 0; i < dimension; i++) {
      sample[k * dimension + i] = values[from + i]!;
      mean[i]! += values[from + i]! / count;
    }
  }
  for (let i = 0; i < sample.length; i++) sample[i]! -= mean[i % dimension]!;
  using points = tensor(sample, [count, dimension]);
  let directions: Float32Array = Float32Array.from(
    { length: width * dimension },
    (_, i) => uniform(0, i) - 0.5,
  );
  for (let iteration = 0; iteration < iterations; iteration++) {
    using before = tensor(directions, [width, dimension]);
    using along = matmul(before, points, { transposeB: true });
    using next = matmul(along, points);
    await evaluate(next);
    directions = orthonormal((await next.data()) as Float32Array, dimension);
  }
  return { mean: Float32Array.from(mean), directions, width };
}

/** Rows made orthonormal one after the other (modified Gram-Schmidt in f64); a row that depends on those before becomes 0. */
function orthonormal(values: Float32Array, dimension: number): Float32Array {
  const rows = Array.from({ length: values.length / dimension }, (_, k) =>
    Float64Array.from(values.subarray(k * dimension, (k + 1) * dimension)),
  );
  const longest = Math.max(...rows.map((row) => Math.sqrt(dot(row, row))));
  for (const [k, row] of rows.entries()) {
    const length = Math.sqrt(dot(row, row));
    const scale = length > negligible * longest ? 1 / length : 0;
    for (let i = 0; i < dimension; i++) row[i]! *= scale;
    for (const other of rows.slice(k + 1)) {
      const along = dot(row, other);
      for (let i = 0; i < dimension; i++) other[i]! -= along * row[i]!;
    }
  }
  const result = new Float32Array(values.length);
  for (const [k, row] of rows.entries()) result.set(row, k * dimension);
  return result;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
