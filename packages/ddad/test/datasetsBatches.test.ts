import { expect } from "chai";
import { batchIndices } from "../src/data/batches.ts";

describe("batchIndices", () => {
  const take = (steps: number, batchSize: number, count: number, seed = 3): number[] =>
    Array.from({ length: steps }, (_, step) => batchIndices({ seed, step, batchSize, count })).flat();

  it("goes through every image once an epoch, also where batches do not fit", () => {
    const order = take(14, 5, 10);
    for (let epoch = 0; epoch < 7; epoch++) {
      expect([...order.slice(epoch * 10, epoch * 10 + 10)].sort()).to.deep.equal([
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
      ]);
    }
    const uneven = take(7, 4, 7);
    for (let epoch = 0; epoch < 4; epoch++) {
      expect([...uneven.slice(epoch * 7, epoch * 7 + 7)].sort()).to.deep.equal([0, 1, 2, 3, 4, 5, 6]);
    }
  });

  it("needs no history: any step by itself is the same", () => {
    const all = take(50, 3, 11);
    expect(batchIndices({ seed: 3, step: 42, batchSize: 3, count: 11 })).to.deep.equal(all.slice(126, 129));
  });

  it("shuffles differently every epoch and for every seed", () => {
    const [first, second] = [take(1, 40, 40), take(2, 40, 40).slice(40)];
    expect(first).to.not.deep.equal(second);
    expect(take(1, 40, 40, 4)).to.not.deep.equal(first);
    expect(first).to.not.deep.equal([...first].sort((a, b) => a - b));
  });

  it("puts every image at every place equally often", () => {
    const counts = new Array<number>(8).fill(0);
    for (let epoch = 0; epoch < 4000; epoch++) {
      const [first] = batchIndices({ seed: 1, step: epoch * 8, batchSize: 1, count: 8 });
      counts[first!]!++;
    }
    // 500 expected, deviation 21: five deviations.
    for (const count of counts) expect(count).to.be.within(395, 605);
  });

  it("makes a batch larger than the data set", () => {
    expect(batchIndices({ seed: 0, step: 0, batchSize: 5, count: 2 })).to.have.length(5);
  });

  it("refuses impossible numbers", () => {
    expect(() => batchIndices({ seed: 0, step: 0, batchSize: 4, count: 0 })).to.throw(
      RangeError,
      "count must be",
    );
    expect(() => batchIndices({ seed: 0, step: -1, batchSize: 4, count: 2 })).to.throw(
      RangeError,
      "step must be",
    );
  });
});
