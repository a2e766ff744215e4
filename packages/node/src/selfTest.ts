/** Whether a GPU computes what it should. */
import { uniform } from "@ddad/ddad/internal";
import { tensor } from "@ddad/nn";

/**
 * Compares a product of two matrices of an odd size with sums in double precision. Needs a device.
 *
 * @returns the largest difference, and whether it is within the tolerance
 */
export async function selfTest(): Promise<{ ok: boolean; largestError: number; tolerance: number }> {
  const size = 67;
  const values = (stream: number): Float32Array =>
    Float32Array.from({ length: size * size }, (_, i) => 2 * uniform(0, stream, i) - 1);
  const [a, b] = [values(1), values(2)];
  const product = await tensor(a, [size, size])
    .matmul(tensor(b, [size, size]))
    .data();
  let largestError = 0;
  for (let i = 0; i < size * size; i++) {
    const [row, column] = [Math.floor(i / size), i % size];
    let exact = 0;
    for (let k = 0; k < size; k++) exact += a[row * size + k]! * b[k * size + column]!;
    const error = Math.abs(product[i]! - exact);
    if (!(error <= largestError)) largestError = error; // not-a-number counts as an error, too
  }
  const tolerance = 1e-5;
  return { ok: largestError <= tolerance, largestError, tolerance };
}
