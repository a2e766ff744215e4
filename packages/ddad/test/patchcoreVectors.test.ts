/** Coreset, projection and memory bank against plain loops in f64. */
import { tensor } from "@ddad/nn";
import { expect } from "chai";
import { largestDifference } from "../../nn/test/golden.ts";
import { uniform } from "../src/data/random.ts";
import { greedyCoreset } from "../src/patchcore/coreset.ts";
import { MemoryBank } from "../src/patchcore/memoryBank.ts";
import { ProjectedVectors, sparseProjection } from "../src/patchcore/projection.ts";
import { imageScore, nearestIndices } from "../src/patchcore/score.ts";

const random = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, i) => uniform(seed, i) - 0.5);

function squared(a: Float32Array, i: number, b: Float32Array, j: number, dimension: number): number {
  let sum = 0;
  for (let k = 0; k < dimension; k++) sum += (a[i * dimension + k]! - b[j * dimension + k]!) ** 2;
  return sum;
}

/** The definition: every point is looked at for every choice. */
function bruteForceCoreset(points: Float32Array, dimension: number, count: number, first: number): number[] {
  const left = new Float64Array(points.length / dimension).fill(Infinity);
  const chosen = [first];
  while (chosen.length < count) {
    const last = chosen.at(-1)!;
    left.forEach((distance, i) => {
      left[i] = Math.min(distance, squared(points, i, points, last, dimension));
    });
    chosen.push(left.indexOf(left.reduce((a, b) => Math.max(a, b), -1)));
  }
  return chosen;
}

describe("greedyCoreset", () => {
  for (const [name, size, dimension, count, first] of [
    ["one point", 1, 3, 1, 0],
    ["all of a few points", 7, 2, 7, 3],
    ["an odd number of points, one shortlist", 501, 13, 90, 500],
    ["many shortlists", 5003, 5, 400, 17],
    ["more points than are updated at once", 70_001, 3, 50, 69_999],
  ] as const) {
    it(`chooses as plain greedy does: ${name}`, async () => {
      const points = random(size * dimension, size);
      const chosen = await greedyCoreset(points, dimension, count, { first });
      expect([...chosen]).to.deep.equal(bruteForceCoreset(points, dimension, count, first));
    });
  }

  it("takes the first of equally far points", async () => {
    const side = 13; // more points than a shortlist has
    const points = Float32Array.from({ length: side ** 3 * 3 }, (_, i) => {
      const point = Math.floor(i / 3);
      return Math.floor(point / side ** (i % 3)) % side;
    });
    const chosen = await greedyCoreset(points, 3, 150, { first: 1 });
    expect([...chosen]).to.deep.equal(bruteForceCoreset(points, 3, 150, 1));
  });

  it("does not depend on what was chosen before, and tells how far it is", async () => {
    const points = random(3000 * 4, 8);
    const told: number[] = [];
    const few = await greedyCoreset(points, 4, 20);
    const many = await greedyCoreset(points, 4, 200, { progress: (done) => void told.push(done) });
    expect([...many.slice(0, 20)]).to.deep.equal([...few]);
    expect(told.at(-1)).to.equal(200);
    expect(told).to.deep.equal([...told].sort((a, b) => a - b));
  });

  it("ends where the other points equal chosen ones", async () => {
    const distinct = random(5 * 6, 2);
    const points = Float32Array.from({ length: 2000 * 6 }, (_, i) => distinct[i % distinct.length]!);
    const chosen = await greedyCoreset(points, 6, 100);
    expect([...chosen].sort()).to.deep.equal([0, 1, 2, 3, 4]);
  });

  it("refuses more points than there are, and NaN", async () => {
    const refusal = async (points: Float32Array, count: number): Promise<string> =>
      greedyCoreset(points, 2, count).then(
        () => "",
        (error: Error) => error.message,
      );
    expect(await refusal(random(8, 1), 5)).to.match(/5 of 4 points of 2 numbers cannot be chosen/);
    expect(await refusal(random(7, 1), 1)).to.match(/1 of 3.5 points/);
    expect(await refusal(Float32Array.of(0, 1, Number.NaN, 2), 2)).to.match(/must be finite/);
  });
});

describe("sparseProjection", () => {
  it("has the published share of entries, of one size, half of them negative", () => {
    const matrix = sparseProjection(256, 100, 5);
    const entry = Math.fround(Math.sqrt(16 / 100));
    const negative = matrix.filter((value) => value === -entry).length;
    const positive = matrix.filter((value) => value === entry).length;
    expect(matrix.filter((value) => value === 0)).to.have.length(matrix.length - negative - positive);
    expect((negative + positive) / matrix.length).to.be.closeTo(1 / 16, 0.005);
    expect(positive / (negative + positive)).to.be.closeTo(0.5, 0.05);
    expect(matrix).to.deep.equal(sparseProjection(256, 100, 5));
    expect(matrix).to.not.deep.equal(sparseProjection(256, 100, 6));
  });

  it("nearly keeps distances", async () => {
    const vectors = random(40 * 512, 4);
    using projected = new ProjectedVectors(40, 512, 128, 9);
    await projected.add(tensor(vectors.subarray(0, 30 * 512), [30, 512]));
    await projected.add(tensor(vectors.subarray(30 * 512), [2, 5, 512]));
    const ratios = Array.from({ length: 39 }, (_, i) =>
      Math.sqrt(
        squared(projected.values, 0, projected.values, i + 1, 128) / squared(vectors, 0, vectors, i + 1, 512),
      ),
    );
    expect(ratios.reduce((a, b) => a + b) / 39).to.be.closeTo(1, 0.05);
    expect(Math.min(...ratios)).to.be.above(0.7);
    expect(Math.max(...ratios)).to.be.below(1.3);
  });

  it("leaves short vectors as they are", async () => {
    const vectors = random(3 * 17, 4);
    using kept = new ProjectedVectors(3, 17, 128, 9);
    await kept.add(tensor(vectors, [3, 17]));
    expect(kept.dimension).to.equal(17);
    expect(kept.values).to.deep.equal(vectors);
  });
});

describe("MemoryBank", () => {
  for (const [name, count, size, dimension] of [
    ["one vector, a bank of one", 1, 1, 3],
    ["odd sizes", 13, 17, 37],
    ["a bank of two tiles", 5, 4099, 6],
    ["vectors of two tiles", 4099, 5, 6],
  ] as const) {
    it(`finds the nearest as plain loops do: ${name}`, async () => {
      const [vectors, values] = [random(count * dimension, 1), random(size * dimension, 2)];
      const bank = new MemoryBank(values, dimension);
      const nearest = await bank.nearest(tensor(vectors, [count, dimension])).data();
      const expected = Float64Array.from({ length: count }, (_, i) =>
        Math.sqrt(
          Array.from({ length: size }, (_, j) => squared(vectors, i, values, j, dimension)).reduce((a, b) =>
            Math.min(a, b),
          ),
        ),
      );
      expect(nearest).to.have.length(count);
      expect(largestDifference(nearest, expected)).to.be.below(1e-5);
      const from = await bank.distancesFrom(vectors.subarray(0, dimension));
      const all = Float64Array.from({ length: size }, (_, j) =>
        Math.sqrt(squared(vectors, 0, values, j, dimension)),
      );
      expect(largestDifference(from, all)).to.be.below(1e-5);
      bank.dispose();
    });
  }

  it("knows its own vectors", async () => {
    const values = random(9 * 5, 3);
    const bank = new MemoryBank(values, 5);
    expect(bank.size).to.equal(9);
    expect(bank.row(4)).to.deep.equal(values.slice(20, 25));
    const nearest = await bank.nearest(tensor(values, [9, 5])).data();
    // What is left of squares of about 0.4 that cancel, under the root.
    expect(Math.max(...nearest)).to.be.below(1e-3);
    bank.dispose();
  });

  it("refuses what is not a number of vectors", () => {
    expect(() => new MemoryBank(new Float32Array(7), 3)).to.throw(
      /7 numbers are not one or more vectors of 3/,
    );
    expect(() => new MemoryBank(new Float32Array(0), 3)).to.throw(/0 numbers/);
  });
});

describe("imageScore", () => {
  const dimension = 4;
  const [vectors, values] = [random(6 * dimension, 5), random(20 * dimension, 6)];

  /** Equation 7 by the letter. */
  function expected(neighbours: number, size: number): number {
    const distance = (i: number, j: number) => Math.sqrt(squared(vectors, i, values, j, dimension));
    const bank = Array.from({ length: size }, (_, j) => j);
    const nearestOf = (i: number) => bank.reduce((a, b) => (distance(i, b) < distance(i, a) ? b : a));
    const farthest = [0, 1, 2, 3, 4, 5].reduce((a, b) =>
      distance(b, nearestOf(b)) > distance(a, nearestOf(a)) ? b : a,
    );
    const m = nearestOf(farthest);
    const around = bank
      .sort((a, b) => squared(values, m, values, a, dimension) - squared(values, m, values, b, dimension))
      .slice(0, neighbours);
    const sum = around.reduce((total, j) => total + Math.exp(distance(farthest, j)), 0);
    const weight = around.length === 1 ? 1 : 1 - Math.exp(distance(farthest, m)) / sum;
    return weight * distance(farthest, m);
  }

  for (const [neighbours, size] of [
    [9, 20],
    [9, 3],
    [2, 20],
    [1, 20],
    [9, 1],
  ] as const) {
    it(`weighs by ${neighbours} neighbours in a bank of ${size}`, async () => {
      const bank = new MemoryBank(values.slice(0, size * dimension), dimension);
      const distances = await bank.nearest(tensor(vectors, [6, dimension])).data();
      const patchAt = async (i: number) => vectors.subarray(i * dimension, (i + 1) * dimension);
      const score = await imageScore(bank, distances, patchAt, neighbours);
      expect(score).to.be.closeTo(expected(neighbours, size), 1e-5);
      bank.dispose();
    });
  }

  it("orders neighbours by distance, then by place", () => {
    const distances = Float32Array.of(3, 1, 2, 1, 0, 2);
    expect(nearestIndices(distances, 4)).to.deep.equal([4, 1, 3, 2]);
    expect(nearestIndices(distances, 9)).to.deep.equal([4, 1, 3, 2, 5, 0]);
  });
});
