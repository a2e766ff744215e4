import { expect } from "chai";
import {
  constantSchedule,
  cosineSchedule,
  oneCycle,
  stepSchedule,
  warmupCosine,
} from "../src/optim/schedules.ts";

describe("learning rates", () => {
  it("constant", () => expect([0, 7, 1e6].map(constantSchedule(3e-4))).to.deep.equal([3e-4, 3e-4, 3e-4]));

  it("rises linearly, falls as a cosine, stays at the floor", () => {
    const learningRate = warmupCosine({ peak: 1, warmup: 4, steps: 14, floor: 0.1 });
    expect([0, 1, 3, 4].map(learningRate)).to.deep.equal([0.25, 0.5, 1, 1]);
    expect(learningRate(9)).to.be.closeTo(0.55, 1e-12);
    expect(learningRate(14)).to.be.closeTo(0.1, 1e-12);
    expect(learningRate(1000)).to.be.closeTo(0.1, 1e-12);
  });

  it("without warm-up starts at the peak", () => expect(warmupCosine({ peak: 2, steps: 10 })(0)).to.equal(2));

  it("refuses a warm-up longer than the training", () => {
    expect(() => warmupCosine({ peak: 1, warmup: 10, steps: 10 })).to.throw(
      /warmup \(10\) must be .* less than steps/,
    );
  });

  it("changes by steps, at equal distances or at milestones", () => {
    const regular = stepSchedule({ learningRate: 1, every: 3 });
    expect([0, 2, 3, 5, 6].map(regular)).to.deep.equal([1, 1, 0.1, 0.1, 0.1 ** 2]);
    const milestones = stepSchedule({ learningRate: 8, every: [2, 5], factor: 0.5 });
    expect([0, 1, 2, 4, 5, 99].map(milestones)).to.deep.equal([8, 8, 4, 4, 2, 2]);
    expect(() => stepSchedule({ learningRate: 1, every: 0 })).to.throw(
      /every must be a number from 1 on, but is the number 0/,
    );
    expect(() => stepSchedule({ learningRate: 1, every: [5, 5] })).to.throw(
      /must be ascending, but is \[5, 5\]/,
    );
  });

  it("falls as a cosine from the first step on", () => {
    const learningRate = cosineSchedule({ learningRate: 2, steps: 10, floor: 0.2 });
    expect(learningRate(0)).to.equal(2);
    expect(learningRate(5)).to.be.closeTo(1.1, 1e-12);
    expect([10, 11].map(learningRate)).to.deep.equal([0.2, 0.2]);
    expect(() => cosineSchedule({ learningRate: 1, steps: 0 })).to.throw(
      /steps must be a number from 1 on, but is the number 0/,
    );
  });

  it("rises and falls in one cycle, by the numbers of PyTorch's OneCycleLR(max_lr=1, total_steps=10)", () => {
    // torch 2: step_num → lr, with pct_start 0.3: up over steps 0 … 2, down over steps 2 … 9.
    const expected = Array.from({ length: 10 }, (_, step) => {
      const [from, to, done] = step <= 2 ? [0.04, 1, step / 2] : [1, 4e-6, (step - 2) / 7];
      return to + ((from - to) / 2) * (1 + Math.cos(Math.PI * done));
    });
    const learningRate = oneCycle({ peak: 1, steps: 10 });
    for (const [step, value] of expected.entries()) expect(learningRate(step)).to.be.closeTo(value, 1e-12);
    expect(learningRate(100)).to.be.closeTo(4e-6, 1e-12);
    expect(oneCycle({ peak: 3, steps: 4, rise: 0.25 })(0)).to.equal(3);
    expect(() => oneCycle({ peak: 1, steps: 3, rise: 2 })).to.throw(/rise must be in 0 … 1, but is 2/);
  });
});
