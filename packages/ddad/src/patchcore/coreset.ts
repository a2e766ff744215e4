/** The coreset: few points such that every other one has one of them near. */
import { evaluate, full, matmul, maximum, min, minimum, type Tensor, tensor } from "@ddad/nn";
import { ranges, squaredDistance, squaredLengths } from "./vectors.ts";

/** Options of `greedyCoreset`. */
export type CoresetOptions = {
  /** The point to begin with. Default 0. */
  readonly first?: number;
  /** Told how many are chosen, now and then. */
  readonly progress?: (done: number, count: number) => void;
};

/** Points whose distances are computed at once. */
const tileRows = 65_536;
/** Chosen points that they are computed to at once. */
const blockRows = 64;
/** Farthest points that the next choices are made among. */
const shortlist = 1024;
/** Farther than anything; shaders need not know infinity. */
const largestFloat = 2 ** 127;

/**
 * The greedy choice of k centres (Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985; Sener and
 * Savarese, "Active learning for convolutional neural networks: a core-set approach", ICLR 2018): each next point is the one
 * farthest from all chosen so far; among equals the one that comes first.
 *
 * Distances only shrink as points are chosen. So as long as the farthest of a shortlist is no nearer than everything
 * outside of it was, it is the farthest of all: many points are chosen on the host from one shortlist, and the device then
 * brings the distances of all points up to date with them at once, as a matrix product.
 *
 * @param points `[N · dimension]`, row-major.
 * @param count how many to choose, at most N.
 * @returns indices in the order of choice. Fewer than `count` where the other points equal chosen ones (to a thousandth of
 *   the largest length).
 */
export async function greedyCoreset(
  points: Float32Array,
  dimension: number,
  count: number,
  { first = 0, progress }: CoresetOptions = {},
): Promise<Uint32Array> {
  const size = points.length / dimension;
  if (!(Number.isInteger(size) && count >= 1 && count <= size && first < size)) {
    throw new RangeError(
      `greedyCoreset: ${count} of ${size} points of ${dimension} numbers cannot be chosen from point ${first}.`,
    );
  }
  const nearest = new NearestCentre(points, dimension);
  const equal = 2 ** -20 * nearest.largestSquare;
  const chosen = [first];
  try {
    if (!Number.isFinite(equal))
      throw new RangeError("greedyCoreset: every number of a point must be finite.");
    let fresh = [first];
    while (fresh.length > 0 && chosen.length < count) {
      const distances = await nearest.add(fresh);
      for (const index of chosen) distances[index] = -Infinity;
      fresh = chooseFromShortlist(points, dimension, distances, count - chosen.length, equal);
      chosen.push(...fresh);
      progress?.(chosen.length, count);
    }
  } finally {
    nearest.dispose();
  }
  return Uint32Array.from(chosen);
}

type Tile = { readonly points: Tensor; readonly squares: Tensor; distances: Tensor };

/** The squared distance of every point to the nearest centre, on the device. */
class NearestCentre {
  readonly #points: Float32Array;
  readonly #dimension: number;
  readonly #squares: Float32Array;
  readonly #tiles: readonly Tile[];

  constructor(points: Float32Array, dimension: number) {
    this.#points = points;
    this.#dimension = dimension;
    this.#squares = squaredLengths(points, dimension);
    this.#tiles = ranges(this.#squares.length, tileRows).map(([from, to]) => ({
      points: tensor(points.subarray(from * dimension, to * dimension), [to - from, dimension]),
      squares: tensor(this.#squares.subarray(from, to)),
      distances: full([to - from], largestFloat),
    }));
  }

  get largestSquare(): number {
    return this.#squares.reduce((a, b) => Math.max(a, b), 0);
  }

  /** @returns the distances with these centres, too. */
  async add(centres: readonly number[]): Promise<Float32Array> {
    for (const [from, to] of ranges(centres.length, blockRows)) {
      // A block that is not full repeats its last centre, so that all blocks share one plan.
      await this.#addBlock(Array.from({ length: blockRows }, (_, k) => centres[Math.min(from + k, to - 1)]!));
    }
    const all = new Float32Array(this.#squares.length);
    for (const [k, { distances }] of this.#tiles.entries()) all.set(await distances.data(), k * tileRows);
    return all;
  }

  async #addBlock(centres: readonly number[]): Promise<void> {
    const dimension = this.#dimension;
    const rows = new Float32Array(centres.length * dimension);
    for (const [k, index] of centres.entries()) {
      rows.set(this.#points.subarray(index * dimension, (index + 1) * dimension), k * dimension);
    }
    using doubled = tensor(
      rows.map((value) => -2 * value),
      [centres.length, dimension],
    );
    using squares = tensor(centres.map((index) => this.#squares[index]!));
    for (const tile of this.#tiles) {
      // |p − c|² = |p|² + (|c|² − 2 p·c)
      const crossed = min(matmul(tile.points, doubled, { transposeB: true, bias: squares }), 1);
      const fresh = maximum(crossed.add(tile.squares), 0);
      const before = tile.distances;
      tile.distances = minimum(before, fresh);
      await evaluate(tile.distances);
      before.dispose();
    }
  }

  dispose(): void {
    for (const { points, squares, distances } of this.#tiles) {
      for (const used of [points, squares, distances]) used.dispose();
    }
  }
}

/** As many next choices, at most `count`, as the farthest points decide among themselves. */
function chooseFromShortlist(
  points: Float32Array,
  dimension: number,
  distances: Float32Array,
  count: number,
  equal: number,
): number[] {
  // All ties with the last place are on the list: everything outside is nearer than everything on it.
  const lastPlace = distances.slice().sort().at(-Math.min(shortlist, distances.length))!;
  const listed: number[] = [];
  for (const [index, distance] of distances.entries()) if (distance >= lastPlace) listed.push(index);
  const left = Float64Array.from(listed, (index) => distances[index]!);
  const choices: number[] = [];
  while (choices.length < count) {
    let farthest = 0;
    for (let k = 1; k < left.length; k++) if (left[k]! > left[farthest]!) farthest = k;
    if (left[farthest]! < lastPlace || left[farthest]! <= equal) break;
    const choice = listed[farthest]!;
    choices.push(choice);
    for (const [k, index] of listed.entries()) {
      left[k] = Math.min(left[k]!, squaredDistance(points, dimension, index, choice));
    }
    left[farthest] = -Infinity;
  }
  return choices;
}
