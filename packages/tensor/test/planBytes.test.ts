/** Predicted memory against what the device then counts. */
import { compile, memory, planBytes, type Tensor, tensor, variable } from "@ddad/tensor";
import { bufferBytes, sharedBytes } from "@ddad/tensor/internal";
import { expect } from "chai";

describe("planBytes", () => {
  const spec = { shape: [300], dtype: "f32" } as const;

  it("tells inputs, results and what lies between, and leaves variables as they are", async () => {
    const sum = variable(tensor(new Float32Array(300)));
    const step = (x?: Tensor): Tensor => {
      const squares = x!.matmul(x!.permute([1, 0])); // [300, 300]
      sum.assign(sum.add(squares.sum([0])));
      return squares.sum();
    };
    const plan = planBytes(step, [{ shape: [300, 2], dtype: "f32" }]);
    expect(plan.results).to.equal(4);
    expect(plan.inputs).to.be.within(4 * (600 + 300), 4 * (600 + 300) + 8);
    expect(plan.live).to.be.at.least(4 * 300 * 300);
    expect(plan.intermediates).to.be.at.least(plan.live);
    expect(plan.intermediates).to.equal(plan.slots.reduce((total, bytes) => total + bytes, 0));
    expect(sum.pending).to.equal(false);
    expect([...(await sum.data())].every((value) => value === 0)).to.equal(true);
    sum.dispose();
  });

  it("says of several plans what the device then holds for all of them", async () => {
    // Sizes that no other test has (11/8 and 13/8 of 4 MiB), so that all of their buffers are new.
    const functions = [5_600_000, 6_700_000].map((count) => ({
      spec: { shape: [count / 4], dtype: "f32" } as const,
      run: (x?: Tensor): Tensor =>
        x!
          .reshape([count / 4, 1])
          .matmul(tensor([2], [1, 1]))
          .sum(),
    }));
    const plans = functions.map(({ run, spec: argument }) => planBytes(run, [argument]));
    const before = memory().plannedPeakBytes;
    for (const { run, spec: argument } of functions) {
      const x = tensor(new Float32Array(argument.shape[0]!), argument.shape);
      (await compile((a: Tensor) => run(a))(x)).dispose();
      x.dispose();
    }
    const large = plans.map(({ slots }) => ({ slots: slots.filter((bytes) => bytes > 1e6) }));
    expect(large.flatMap(({ slots }) => slots)).to.not.have.length(0);
    const small = sharedBytes(plans) - sharedBytes(large);
    expect(memory().plannedPeakBytes - before).to.be.within(sharedBytes(large), sharedBytes(large) + small);
  });

  it("counts a size once for plans that can share it, and as often as one plan needs it", () => {
    const size = bufferBytes(spec);
    expect(size).to.be.within(1200, 1.125 * 1200 + 256);
    expect(sharedBytes([{ slots: [1200, 1200] }, { slots: [1200] }])).to.equal(2 * size);
    expect(sharedBytes([{ slots: [1200] }, { slots: [8] }])).to.equal(size + 256);
    expect(sharedBytes([])).to.equal(0);
  });
});
