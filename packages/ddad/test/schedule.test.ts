import { expect } from "chai";
import { entry, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { ddimCoefficients, linearSchedule, samplingSteps } from "../src/diffusion/schedule.ts";

const schedule = linearSchedule({ steps: 1000, from: 1e-4, to: 0.02 });

describe("linearSchedule", () => {
  // Bits printed by PyTorch 1.13 for the published settings.
  const known: [number, number][] = [
    [-1, 1],
    [0, 0.9998999834060669],
    [25, 0.9909650683403015],
    [225, 0.5886780619621277],
    [250, 0.5214230418205261],
    [500, 0.07779666036367416],
    [999, 0.00004035829988424666],
  ];

  for (const [t, value] of known) {
    it(`gives PyTorch's bits at t = ${t}`, () => expect(schedule.alphaBar(t)).to.equal(Math.fround(value)));
  }

  it("starts and ends with the betas asked for, as float32", () => {
    expect(schedule.betas[0]).to.equal(Math.fround(1e-4));
    expect(schedule.betas[999]).to.equal(Math.fround(0.02));
  });

  it("agrees with the recorded schedule bit for bit", function () {
    const arrays = readNpz(sharedOrSkip(this, "golden", "schedule.npz"));
    expect(schedule.betas).to.deep.equal(entry(arrays, "betas32", Float32Array).data);
    const sampling = entry(arrays, "sampling", Float32Array).data;
    expect(Float32Array.from(sampling, (_, i) => schedule.alphaBar(i - 1))).to.deep.equal(sampling);
  });

  it("refuses a step that does not exist", () => {
    expect(() => schedule.alphaBar(1000)).to.throw(RangeError, "from -1 to 999, but is 1000");
    expect(() => schedule.alphaBar(-2)).to.throw(RangeError);
    expect(() => schedule.alphaBar(0.5)).to.throw(RangeError);
  });

  it("refuses impossible settings", () => {
    expect(() => linearSchedule({ steps: 1, from: 1e-4, to: 0.02 })).to.throw(RangeError, "at least 2");
    expect(() => linearSchedule({ steps: 10, from: 0.1, to: 0.02 })).to.throw(RangeError, "from <= to");
    expect(() => linearSchedule({ steps: 10, from: 0.1, to: 1 })).to.throw(RangeError, "to < 1");
  });
});

describe("samplingSteps", () => {
  it("takes the multiples of the stride below the start and ends at -1", () => {
    const steps = samplingSteps({ start: 250, stride: 25 });
    expect(steps.map((step) => step.t)).to.deep.equal([225, 200, 175, 150, 125, 100, 75, 50, 25, 0]);
    expect(steps.map((step) => step.previous)).to.deep.equal([200, 175, 150, 125, 100, 75, 50, 25, 0, -1]);
  });

  it("does not need a start that the stride divides", () => {
    const steps = samplingSteps({ start: 250, stride: 30 });
    expect(steps.map((step) => step.t)).to.deep.equal([240, 210, 180, 150, 120, 90, 60, 30, 0]);
  });

  it("gets the time step that it sees where the number of steps is given", () => {
    expect(samplingSteps({ start: 250, stride: 25, steps: 5 })).to.deep.equal([
      { t: 250, previous: 200 },
      { t: 200, previous: 150 },
      { t: 150, previous: 100 },
      { t: 100, previous: 50 },
      { t: 50, previous: -1 },
    ]);
    expect(samplingSteps({ start: 250, stride: 25, steps: 3 }).map(({ t }) => t)).to.deep.equal([
      250, 167, 83,
    ]);
    expect(samplingSteps({ start: 250, stride: 25, steps: 1 })).to.deep.equal([{ t: 250, previous: -1 }]);
    expect(() => samplingSteps({ start: 4, stride: 1, steps: 5 })).to.throw(
      RangeError,
      "samplingSteps: steps must be at most start (4), but is 5.",
    );
  });

  it("can be a single step", () => {
    expect(samplingSteps({ start: 250, stride: 250 })).to.deep.equal([{ t: 0, previous: -1 }]);
  });

  it("calls alphaBar at the recorded times", function () {
    const arrays = readNpz(sharedOrSkip(this, "golden", "schedule.npz"));
    const [first, ...calls] = entry(arrays, "recon_t_calls", Int32Array).data;
    expect(first).to.equal(250);
    const steps = samplingSteps({ start: 250, stride: 25 });
    expect(steps.flatMap((step) => [step.t, step.previous])).to.deep.equal(calls);
  });

  it("refuses settings that are no whole numbers", () => {
    expect(() => samplingSteps({ start: 250, stride: 0 })).to.throw(
      RangeError,
      "stride must be a whole number",
    );
    expect(() => samplingSteps({ start: 2.5, stride: 1 })).to.throw(
      RangeError,
      "start must be a whole number",
    );
  });
});

describe("ddimCoefficients", () => {
  const [first] = samplingSteps({ start: 250, stride: 25 });

  it("gives the published deviation of the first step", () => {
    expect(ddimCoefficients(schedule, first!, 1).c1).to.be.closeTo(0.2934926152229309, 1e-12);
  });

  it("adds no noise with eta 0, and none in the last step", () => {
    const { c1, c2, alphaBarPrevious } = ddimCoefficients(schedule, first!, 0);
    expect(c1).to.equal(0);
    expect(c2).to.equal(Math.fround(Math.sqrt(Math.fround(1 - alphaBarPrevious))));
    expect(ddimCoefficients(schedule, { t: 0, previous: -1 }, 1)).to.deep.include({ c1: 0, c2: 0 });
  });

  it("agrees with the recorded coefficients bit for bit", function () {
    const arrays = readNpz(sharedOrSkip(this, "golden", "recon.npz"));
    const { data } = entry(arrays, "coeffs", Float64Array);
    const rows = samplingSteps({ start: 250, stride: 25 }).flatMap((step) => {
      const { alphaBar, alphaBarPrevious, c1, c2 } = ddimCoefficients(schedule, step, 1);
      return [step.t, step.previous, alphaBar, alphaBarPrevious, c1, c2];
    });
    expect(rows).to.deep.equal([...data]);
  });
});
