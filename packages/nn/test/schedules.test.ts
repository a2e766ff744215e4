import { expect } from "chai";
import { constantRate, warmupCosine } from "../src/optim/schedules.ts";

describe("learning rates", () => {
  it("constant", () => expect([0, 7, 1e6].map(constantRate(3e-4))).to.deep.equal([3e-4, 3e-4, 3e-4]));

  it("rises linearly, falls as a cosine, stays at the floor", () => {
    const rate = warmupCosine({ peak: 1, warmup: 4, steps: 14, floor: 0.1 });
    expect([0, 1, 3, 4].map(rate)).to.deep.equal([0.25, 0.5, 1, 1]);
    expect(rate(9)).to.be.closeTo(0.55, 1e-12);
    expect(rate(14)).to.be.closeTo(0.1, 1e-12);
    expect(rate(1000)).to.be.closeTo(0.1, 1e-12);
  });

  it("without warm-up starts at the peak", () => expect(warmupCosine({ peak: 2, steps: 10 })(0)).to.equal(2));

  it("refuses a warm-up longer than the training", () => {
    expect(() => warmupCosine({ peak: 1, warmup: 10, steps: 10 })).to.throw(
      /warmup \(10\) must be .* less than steps/,
    );
  });
});
