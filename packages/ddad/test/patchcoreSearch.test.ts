/** The search by bounds against plain loops in f64. */
import { tensor } from "@ddad/nn";
import { expect } from "chai";
import { largestDifference } from "../../nn/test/golden.ts";
import { uniform } from "../src/data/random.ts";
import { BoundedSearch } from "../src/patchcore/boundedSearch.ts";
import { MemoryBank } from "../src/patchcore/memoryBank.ts";
import { principalSubspace } from "../src/patchcore/subspace.ts";
import { crossDistance } from "../src/patchcore/vectors.ts";

const random = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, i) => uniform(seed, i) - 0.5);

/** Vectors that differ mostly in `rank` directions, and by `noise` in all. */
function spread(rows: number, dimension: number, rank: number, noise: number, seed: number): Float32Array {
  const directions = random(rank * dimension, 99);
  const along = random(rows * rank, seed);
  const rest = random(rows * dimension, seed + 1);
  return Float32Array.from({ length: rows * dimension }, (_, i) => {
    const [row, column] = [Math.floor(i / dimension), i % dimension];
    let sum = 3 + noise * rest[i]!;
    for (let k = 0; k < rank; k++) sum += along[row * rank + k]! * directions[k * dimension + column]!;
    return sum;
  });
}

/** By the definition. */
function nearestByLoops(vectors: Float32Array, values: Float32Array, dimension: number): Float64Array {
  return Float64Array.from({ length: vectors.length / dimension }, (_, t) => {
    let nearest = Number.POSITIVE_INFINITY;
    for (let j = 0; j < values.length / dimension; j++) {
      let square = 0;
      for (let k = 0; k < dimension; k++) {
        square += (vectors[t * dimension + k]! - values[j * dimension + k]!) ** 2;
      }
      nearest = Math.min(nearest, square);
    }
    return Math.sqrt(nearest);
  });
}

describe("BoundedSearch", () => {
  for (const [name, count, size, dimension, width, rank, noise] of [
    ["one vector, a bank of one", 1, 1, 5, 2, 1, 1],
    ["odd sizes", 13, 301, 37, 8, 5, 0.3],
    ["as wide as the vectors", 7, 50, 12, 12, 3, 0.1],
    ["two tiles", 9, 4099, 24, 6, 4, 0.2],
    ["vectors without a rest", 20, 400, 33, 9, 3, 0],
    ["vectors that bounds do not help with", 20, 400, 33, 3, 33, 1],
    ["a rest of almost nothing", 20, 400, 40, 9, 4, 1e-4],
  ] as const) {
    it(`finds the nearest as plain loops do: ${name}`, async () => {
      const values = spread(size, dimension, rank, noise, 1);
      const vectors = spread(count, dimension, rank, noise, 7);
      const search = await BoundedSearch.build(values, dimension, width);
      const found = await search.nearest(tensor(vectors, [count, dimension]));
      const expected = nearestByLoops(vectors, values, dimension);
      expect(found).to.have.length(count);
      expect(largestDifference(found, Float32Array.from(expected))).to.be.below(1e-7);
      search.dispose();
    });
  }

  it("finds its own vectors at no distance, and far ones", async () => {
    const values = spread(600, 48, 6, 0.2, 3);
    const search = await BoundedSearch.build(values, 48, 12);
    const far = random(2 * 48, 5).map((value) => 1000 * value);
    const vectors = Float32Array.from([...values.subarray(100 * 48, 104 * 48), ...far]);
    const found = await search.nearest(tensor(vectors, [6, 48]));
    expect([...found.subarray(0, 4)]).to.deep.equal([0, 0, 0, 0]);
    const expected = Float32Array.from(nearestByLoops(far, values, 48));
    expect([...found.subarray(4)]).to.deep.equal([...expected]);
    search.dispose();
  });

  it("gives a vector the same distance alone and among others", async () => {
    const values = spread(500, 40, 5, 0.3, 2);
    const vectors = spread(30, 40, 5, 0.3, 9);
    const search = await BoundedSearch.build(values, 40, 8);
    const all = await search.nearest(tensor(vectors, [30, 40]));
    for (const k of [0, 17, 29]) {
      const [alone] = await search.nearest(tensor(vectors.subarray(k * 40, (k + 1) * 40), [1, 40]));
      expect(alone).to.equal(all[k]);
    }
    search.dispose();
  });

  it("shows NaN and Infinity at their vectors alone", async () => {
    const values = spread(300, 16, 4, 0.3, 2);
    const vectors = spread(4, 16, 4, 0.3, 9);
    const search = await BoundedSearch.build(values, 16, 6);
    const clean = await search.nearest(tensor(vectors, [4, 16]));
    vectors[16 + 3] = Number.NaN;
    vectors[2 * 16] = Number.POSITIVE_INFINITY;
    const found = await search.nearest(tensor(vectors, [4, 16]));
    expect([...found]).to.deep.equal([clean[0], Number.NaN, Number.POSITIVE_INFINITY, clean[3]]);
    search.dispose();
  });

  it("serves large banks of long vectors with what all products give", async () => {
    const [size, dimension] = [1024, 384];
    expect(BoundedSearch.pays(size, dimension)).to.equal(true);
    const bank = new MemoryBank(spread(size, dimension, 20, 0.3, 1), dimension);
    const vectors = tensor(spread(50, dimension, 20, 0.3, 8), [50, dimension]);
    const found = await bank.nearestDistances(vectors);
    expect(largestDifference(found, await bank.nearest(vectors).data())).to.be.below(2e-3);
    expect(await bank.nearestDistances(vectors)).to.deep.equal(found);
    bank.dispose();
  });
});

describe("principalSubspace", () => {
  it("has orthonormal directions that hold what vectors of few directions differ in", async () => {
    const [rows, dimension, rank] = [2500, 30, 4];
    const values = spread(rows, dimension, rank, 0, 1);
    const { mean, directions, width } = await principalSubspace(values, dimension, 7);
    expect([mean.length, directions.length, width]).to.deep.equal([dimension, 7 * dimension, 7]);
    const zeros = new Float32Array(directions.length);
    const lengths = Array.from({ length: 7 }, (_, k) => crossDistance(directions, k, zeros, k, dimension));
    for (const [k, length] of lengths.entries()) expect(length).to.be.closeTo(k < rank ? 1 : 0, 1e-6);
    for (let k = 0; k < rank; k++) {
      for (let j = 0; j < k; j++) {
        expect(crossDistance(directions, k, directions, j, dimension)).to.be.closeTo(2, 1e-6);
      }
    }
    for (let row = 0; row < rows; row += 500) {
      let [whole, inside] = [0, 0];
      const centred = (i: number) => values[row * dimension + i]! - mean[i]!;
      for (let i = 0; i < dimension; i++) whole += centred(i) ** 2;
      for (let k = 0; k < 7; k++) {
        let along = 0;
        for (let i = 0; i < dimension; i++) along += centred(i) * directions[k * dimension + i]!;
        inside += along ** 2;
      }
      expect(inside / whole).to.be.closeTo(1, 1e-5);
    }
  });
});
