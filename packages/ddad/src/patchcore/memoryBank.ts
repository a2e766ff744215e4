/** Patches of good images, and how far other patches are from them. */
import {
  concat,
  currentDevice,
  matmul,
  maximum,
  min,
  minimum,
  slice,
  sum,
  type Tensor,
  tensor,
} from "@ddad/nn";
import { BoundedSearch } from "./boundedSearch.ts";
import { ranges, squaredLengths } from "./vectors.ts";

/** Rows of the bank, and of what is compared with it, that are multiplied at once: their product takes 64 MiB. */
const tileRows = 4096;

/**
 * A bank of vectors on the device, in tiles, so that neither it nor the distances to it need one buffer larger than what an
 * adapter can bind.
 */
export class MemoryBank {
  /** `[size · dimension]`, row-major. */
  readonly values: Float32Array;
  readonly dimension: number;
  readonly #tiles: readonly { readonly rows: Tensor; readonly squares: Tensor }[];
  #search: Promise<BoundedSearch> | undefined;

  constructor(values: Float32Array, dimension: number) {
    const size = values.length / dimension;
    if (!(Number.isInteger(size) && size >= 1)) {
      throw new RangeError(
        `MemoryBank: ${values.length} numbers are not one or more vectors of ${dimension}.`,
      );
    }
    this.values = values;
    this.dimension = dimension;
    this.#tiles = ranges(size, tileRows).map(([from, to]) => {
      const rows = values.subarray(from * dimension, to * dimension);
      return { rows: tensor(rows, [to - from, dimension]), squares: tensor(squaredLengths(rows, dimension)) };
    });
  }

  /** How many vectors it holds. */
  get size(): number {
    return this.values.length / this.dimension;
  }

  /** A vector of the bank. */
  row(index: number): Float32Array {
    return this.values.subarray(index * this.dimension, (index + 1) * this.dimension);
  }

  /** The distance of each of the vectors `[T, dimension]` to the nearest one of the bank → `[T]`. */
  nearest(vectors: Tensor): Tensor {
    const [count] = vectors.shape as [number, number];
    const parts = ranges(count, tileRows).map(([from, to]) => {
      const part = to - from === count ? vectors : slice(vectors, [from], [to]);
      const squares = this.#tiles.map((tile) => min(crossed(part, tile), 1));
      return root(squares.reduce(minimum), sum(part.square(), 1));
    });
    return concat(parts, 0);
  }

  /** `nearest`, by bounds where these save work: on adapters that are processors, for a bank of many long vectors. */
  async nearestDistances(vectors: Tensor): Promise<Float32Array> {
    const onProcessor = currentDevice().capabilities.adapterClass === "software";
    if (onProcessor && BoundedSearch.pays(this.size, this.dimension)) {
      this.#search ??= BoundedSearch.build(this.values, this.dimension);
      return (await this.#search).nearest(vectors);
    }
    using nearest = this.nearest(vectors);
    return (await nearest.data()) as Float32Array;
  }

  /** The distances of one vector to every one of the bank, `[size]`. */
  async distancesFrom(vector: Float32Array): Promise<Float32Array> {
    using row = tensor(vector, [1, this.dimension]);
    using distances = concat(
      this.#tiles.map((tile) => root(crossed(row, tile).reshape([-1]), sum(row.square()))),
      0,
    );
    return (await distances.data()) as Float32Array;
  }

  dispose(): void {
    for (const { rows, squares } of this.#tiles) for (const used of [rows, squares]) used.dispose();
    this.#search?.then(
      (search) => search.dispose(),
      () => undefined,
    );
  }
}

/** |b|² − 2 a·b of every row a of `vectors` `[T, C]` and every row b of a tile `[B, C]` → `[T, B]`. */
const crossed = (vectors: Tensor, { rows, squares }: { rows: Tensor; squares: Tensor }): Tensor =>
  matmul(vectors.mul(-2), rows, { transposeB: true, bias: squares });

/** √(|a|² + the rest), where rounding must not make the root of less than nothing. */
const root = (rest: Tensor, square: Tensor): Tensor => maximum(rest.add(square), 0).sqrt();
