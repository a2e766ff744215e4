/** Random projections, which keep distances between patches nearly as they are in far fewer dimensions. */
import { matmul, type Tensor, tensor } from "@ddad/nn";
import { uniform } from "../data/random.ts";
import { DataError } from "../errors.ts";

/**
 * A sparse random projection (Li, Hastie and Church, "Very sparse random projections", KDD 2006): a fraction 1 / √rows of the
 * entries is ± ∜rows / √columns, evenly, the others are 0. It keeps squared distances in the mean.
 *
 * @returns `[rows · columns]`; the same for the same seed.
 */
export function sparseProjection(rows: number, columns: number, seed: number): Float32Array {
  const fraction = 1 / Math.sqrt(rows);
  const entry = 1 / Math.sqrt(columns * fraction);
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const drawn = uniform(seed, i) / fraction;
    return drawn < 0.5 ? entry : drawn < 1 ? -entry : 0;
  });
}

/** Vectors projected to `width` numbers each, on the host; as they are where they have no more than that. */
export class ProjectedVectors {
  /** `[count · dimension]`. */
  readonly values: Float32Array;
  readonly dimension: number;
  readonly count: number;
  readonly #from: number;
  readonly #projection: Tensor | undefined;
  #filled = 0;

  /** @throws DataError when there is no memory for them. */
  constructor(count: number, from: number, width: number, seed: number) {
    this.count = count;
    this.#from = from;
    this.dimension = Math.min(from, width);
    try {
      this.values = new Float32Array(count * this.dimension);
    } catch (cause) {
      const gibibytes = ((4 * count * this.dimension) / 2 ** 30).toPrecision(2);
      throw new DataError(
        `Choosing among ${count} patches needs ${gibibytes} GiB of memory, more than there is room for; take fewer or ` +
          `smaller images.`,
        { cause },
      );
    }
    if (width < from) this.#projection = tensor(sparseProjection(from, width, seed), [from, width]);
  }

  /** Appends vectors `[…, from]`. */
  async add(vectors: Tensor): Promise<void> {
    using projected = this.#projection && matmul(vectors.reshape([-1, this.#from]), this.#projection);
    const values = (await (projected ?? vectors).data()) as Float32Array;
    this.values.set(values, this.#filled);
    this.#filled += values.length;
  }

  dispose(): void {
    this.#projection?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
