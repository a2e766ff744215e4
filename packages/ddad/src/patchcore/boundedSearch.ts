/** The nearest of many vectors, found by few numbers of each and made sure of by all. */
import { concat, evaluate, matmul, sum, type Tensor, tensor } from "@ddad/nn";
import { principalSubspace } from "./subspace.ts";
import { crossDistance, ranges } from "./vectors.ts";

/** Vectors whose bounds are computed at once. */
const tileRows = 4096;
/** Numbers that a vector is bounded by: its coordinates in a subspace, and the length of what is outside of it. */
const boundWidth = 192;
/**
 * Part of the squared lengths that bounds are lowered by, so that rounding makes none too high: 192 products of f32 err by less
 * than 2⁻¹⁶ of them.
 */
const margin = 2 ** -13;

type Tile = { readonly from: number; readonly rows: Tensor; readonly lowered: Tensor };

/**
 * Nearest neighbours by a lower bound. With p the coordinates of a vector in a subspace and r the length of the rest,
 * |a − b|² ≥ |p_a − p_b|² + (r_a − r_b)²: in most directions vectors hardly differ, and the triangle inequality bounds what they do.
 * The device computes the bounds of all pairs; the host computes in f64 the distance of those pairs whose bound is below the
 * smallest distance found so far. The result is the distance to the true nearest vector, not an estimate.
 *
 * For adapters that are processors: there a product of all numbers takes several times as long, and the host reads bounds where they lie.
 */
export class BoundedSearch {
  readonly #values: Float32Array;
  readonly #dimension: number;
  readonly #mean: Tensor;
  readonly #directions: Tensor;
  readonly #tiles: Tile[] = [];

  private constructor(values: Float32Array, dimension: number, mean: Tensor, directions: Tensor) {
    this.#values = values;
    this.#dimension = dimension;
    this.#mean = mean;
    this.#directions = directions;
  }

  /** Whether bounds of so many vectors save work. */
  static pays(size: number, dimension: number): boolean {
    return size >= 1024 && dimension >= 2 * boundWidth;
  }

  /**
   * @param values `[size · dimension]`; kept, not copied
   * @param width numbers that a vector is bounded by, at least 2 and at most `dimension`
   */
  static async build(values: Float32Array, dimension: number, width = boundWidth): Promise<BoundedSearch> {
    const { mean, directions } = await principalSubspace(values, dimension, width - 1);
    const search = new BoundedSearch(
      values,
      dimension,
      tensor(mean),
      tensor(directions, [width - 1, dimension]),
    );
    for (const [from, to] of ranges(values.length / dimension, tileRows)) {
      using vectors = tensor(values.subarray(from * dimension, to * dimension), [to - from, dimension]);
      const rows = search.#shorten(vectors);
      const lowered = sum(rows.square(), 1).mul(1 - margin);
      await evaluate(rows, lowered);
      search.#tiles.push({ from, rows, lowered });
    }
    return search;
  }

  /** The distance of each of the vectors `[T, dimension]` to the nearest one → `[T]`. */
  async nearest(vectors: Tensor): Promise<Float32Array> {
    using rows = this.#shorten(vectors);
    using lowered = sum(rows.square(), 1).mul(1 - margin);
    using doubled = rows.mul(-2);
    await evaluate(doubled, lowered);
    // |p_a − p_b|² less the margin and |p_a|², which is the same for all b.
    const bounds = this.#tiles.map((tile) =>
      matmul(doubled, tile.rows, { transposeB: true, bias: tile.lowered }),
    );
    // All are under way before the first is looked at: the device works meanwhile.
    const read = bounds.map((bound) => bound.data() as Promise<Float32Array>);
    const own = (await lowered.data()) as Float32Array;
    const points = (await vectors.data()) as Float32Array;
    const squares = new Float64Array(own.length).fill(Number.POSITIVE_INFINITY);
    for (const [k, { from }] of this.#tiles.entries()) {
      this.#improve(squares, points, own, await read[k]!, from);
      bounds[k]!.dispose();
    }
    return Float32Array.from(squares, Math.sqrt);
  }

  /** Takes the nearest of a tile where it is nearer than what was found before. */
  #improve(
    squares: Float64Array,
    points: Float32Array,
    own: Float32Array,
    bounds: Float32Array,
    from: number,
  ): void {
    const dimension = this.#dimension;
    const count = bounds.length / own.length;
    for (let t = 0; t < own.length; t++) {
      const first = t * count;
      let likeliest = 0;
      for (let j = 1; j < count; j++) if (bounds[first + j]! < bounds[first + likeliest]!) likeliest = j;
      let nearest = Math.min(
        squares[t]!,
        crossDistance(points, t, this.#values, from + likeliest, dimension),
      );
      squares[t] = nearest;
      if (!Number.isFinite(nearest)) continue; // so is none: the vector itself is not
      for (let j = 0; j < count; j++) {
        if (bounds[first + j]! + own[t]! >= nearest || j === likeliest) continue;
        nearest = Math.min(nearest, crossDistance(points, t, this.#values, from + j, dimension));
      }
      squares[t] = nearest;
    }
  }

  /** `[T, dimension]` → `[T, width]`: coordinates in the subspace, and the length of the rest. */
  #shorten(vectors: Tensor): Tensor {
    const centred = vectors.sub(this.#mean);
    const inside = matmul(centred, this.#directions, { transposeB: true });
    // The rest itself, as a difference of squared lengths would be mostly rounding where it is short.
    const rest = centred.sub(matmul(inside, this.#directions));
    return concat([inside, sum(rest.square(), 1, { keepDims: true }).sqrt()], 1);
  }

  dispose(): void {
    this.#mean.dispose();
    this.#directions.dispose();
    for (const { rows, lowered } of this.#tiles) for (const used of [rows, lowered]) used.dispose();
  }
}
