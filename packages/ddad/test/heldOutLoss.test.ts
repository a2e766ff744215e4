/** The denoising loss by time steps: how these are divided, drawn, averaged and shown. */
import { expect } from "chai";
import {
  describeValidationLoss,
  timestepBuckets,
  timestepIn,
  validationLoss,
} from "../src/training/validationLoss.ts";

const ends = (largest: number): number[][] => timestepBuckets(largest).map(({ from, to }) => [from, to]);

describe("timestepBuckets", () => {
  it("holds 50 time steps each, the last taking up what is left over", () => {
    expect(ends(300)).to.deep.equal([
      [0, 49],
      [50, 99],
      [100, 149],
      [150, 199],
      [200, 249],
      [250, 300],
    ]);
    expect(ends(323).at(-1)).to.deep.equal([250, 323]);
    expect(ends(324).at(-1)).to.deep.equal([300, 324]);
    expect(ends(9)).to.deep.equal([[0, 9]]);
    expect(ends(0)).to.deep.equal([[0, 0]]);
  });

  it("makes ten at most", () => {
    expect(ends(999)).to.deep.equal(Array.from({ length: 10 }, (_, k) => [100 * k, 100 * k + 99]));
    for (const largest of [1, 49, 74, 75, 499, 500, 501, 1999, 4321]) {
      const found = timestepBuckets(largest);
      expect(found.length, String(largest)).to.be.within(1, 10);
      expect(found.at(-1)!.to).to.equal(largest);
      for (const [k, { from, to }] of found.entries()) {
        expect(from).to.equal(k === 0 ? 0 : found[k - 1]!.to + 1);
        expect(to).to.be.at.least(from);
      }
    }
  });
});

describe("timestepIn", () => {
  it("reaches all of a bucket and nothing else, and is always the same for an image", () => {
    const bucket = { from: 10, to: 14 };
    const drawn = Array.from({ length: 200 }, (_, image) => timestepIn(bucket, 1, { image, step: 2 }));
    expect([...new Set(drawn)].sort()).to.deep.equal([10, 11, 12, 13, 14]);
    expect(timestepIn(bucket, 1, { image: 7, step: 2 })).to.equal(drawn[7]);
  });
});

describe("validationLoss", () => {
  it("weighs buckets by their time steps", () => {
    const buckets = [
      { from: 0, to: 0 },
      { from: 1, to: 3 },
    ];
    const loss = validationLoss(buckets, [
      [1, 3],
      [0.5, 0.5],
    ]);
    expect(loss).to.deep.equal({
      mean: 0.875,
      buckets: [
        { from: 0, to: 0, loss: 2 },
        { from: 1, to: 3, loss: 0.5 },
      ],
    });
    expect(describeValidationLoss(loss)).to.equal(
      "validation loss 0.8750 (low noise: 2.00, high noise: 0.500)",
    );
  });
});
