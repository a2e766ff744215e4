/** The passes, on data alone: what is fused, where values live, which buffers are written in place. */
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { fuseProgram } from "../src/program/fuse.ts";
import { lowerProgram } from "../src/program/lower.ts";
import { planProgram } from "../src/program/plan.ts";
import { printProgram, programKey } from "../src/program/program.ts";
import type { Tensor, Variable } from "../src/tensor.ts";
import { assignTo, caps, capture, checkPlan, leaf } from "./plans.ts";

const kernelsOf = (program: ReturnType<typeof capture>): string[] =>
  program.calls.map(({ kernel }) => kernel.name);
const planOf = (program: ReturnType<typeof capture>) => {
  const lowered = lowerProgram(program, caps);
  return { lowered, plan: planProgram(lowered) };
};

describe("capture", () => {
  it("numbers leaves first, keeps the order of recording and sees through views", () => {
    const [a, b] = [leaf(2, 3), leaf(3)];
    const y = t.reshape(t.add(t.reshape(t.mul(a, b), [6]), 1), [3, 2]);
    const program = capture(y);
    expect(program.leaves).to.equal(2);
    expect(kernelsOf(program)).to.deep.equal(["elementwise", "elementwise"]);
    expect(printProgram(program)).to.equal(
      [
        "v2 f32 [2, 3] = elementwise(in0: v0, in1: v1)",
        "v3 f32 [6] = elementwise(in0: v2)",
        "results: v3",
      ].join("\n"),
    );
  });

  it("leaves out what the targets do not need", () => {
    const a = leaf(4);
    t.exp(a);
    expect(capture(t.log(a)).calls).to.have.length(1);
  });

  it("gives programs of one structure one key, and others another", () => {
    const build = (shape: number[], factor: number) => capture(t.sum(t.mul(leaf(...shape), factor)));
    expect(programKey(build([2, 3], 2))).to.equal(programKey(build([2, 3], 2)));
    expect(programKey(build([2, 3], 2))).not.to.equal(programKey(build([3, 2], 2)));
  });

  it("takes numbers for data, not for structure", () => {
    const build = (factor: number) => capture(t.sum(t.mul(leaf(2, 3), factor)));
    for (const factor of [3, 1e20, Infinity, -Infinity, Number.NaN, -0])
      expect(programKey(build(factor)), String(factor)).to.equal(programKey(build(2)));
    const float = (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0]!;
    expect(build(-0).constants).to.deep.equal([float(-0)]);
    expect(build(Infinity).constants).to.deep.equal([float(Infinity)]);
  });
});

describe("fusion", () => {
  it("makes one call of a chain", () => {
    const [a, b] = [leaf(4, 5), leaf(5)];
    const program = fuseProgram(capture(t.sigmoid(t.add(t.mul(a, 2), b))));
    expect(kernelsOf(program)).to.deep.equal(["elementwise"]);
    expect(Object.values(program.calls[0]!.inputs)).to.have.length(2);
  });

  it("keeps a value that is asked for, or that another kernel reads", () => {
    const a = leaf(4, 5);
    const inner = t.exp(a);
    expect(fuseProgram(capture(t.log(inner), inner)).calls).to.have.length(2);
    expect(
      kernelsOf(fuseProgram(capture(t.add(t.exp(a), t.sum(t.neg(t.exp(a))))))).filter((k) => k === "sum"),
    ).to.have.length(1);
    const shared = t.exp(a);
    expect(fuseProgram(capture(t.mul(shared, t.sum(shared)))).calls).to.have.length(3);
  });

  it("does not merge across a change of shape", () => {
    const [column, row] = [leaf(4, 1), leaf(1, 5)];
    expect(fuseProgram(capture(t.add(t.exp(column), t.exp(row)))).calls).to.have.length(3);
  });

  it("uses a value that two members of a chain share only once", () => {
    const a = leaf(8);
    const s = t.sigmoid(a);
    const program = fuseProgram(capture(t.mul(s, t.sub(1, s))));
    expect(program.calls).to.have.length(1);
    const { expression } = program.calls[0]!.call.attrs as { expression: { steps: { op: string }[] } };
    expect(expression.steps.map(({ op }) => op)).to.deep.equal(["sigmoid", "sub", "mul"]);
  });

  it("stays within seven inputs", () => {
    const inputs = Array.from({ length: 12 }, () => leaf(3));
    const program = fuseProgram(capture(inputs.reduce((total, x) => t.mul(total, x))));
    for (const call of program.calls) expect(Object.keys(call.inputs).length).to.be.at.most(7);
    expect(program.calls).to.have.length(2);
  });

  it("cuts sums into sums of four, so that those of 4, 7 and 10 terms share a pipeline", () => {
    const inputs = Array.from({ length: 10 }, () => leaf(3));
    const { calls } = fuseProgram(capture(inputs.reduce((total, x) => t.add(total, x))));
    expect(calls.map((call) => Object.keys(call.inputs).length)).to.deep.equal([4, 4, 4]);
  });
});

describe("planning", () => {
  /** exp and sum alternate so that nothing fuses. */
  const chain = (x: Tensor, length: number): Tensor => {
    let y = x;
    for (let k = 0; k < length; k++) y = t.matmul(y, y);
    return y;
  };

  it("reuses buffers: a chain needs two, whatever its length", () => {
    const { lowered, plan } = planOf(capture(chain(leaf(8, 8), 10)));
    checkPlan(lowered, plan);
    expect(plan.slots).to.deep.equal([256, 256]);
    expect(plan.liveBytes).to.equal(512);
  });

  it("writes results into buffers of their own", () => {
    const x = leaf(8, 8);
    const y = t.matmul(x, x);
    const { plan, lowered } = planOf(capture(y, t.matmul(y, y)));
    checkPlan(lowered, plan);
    expect(plan.results).to.deep.equal([256, 256]);
    expect(plan.slots).to.deep.equal([]);
  });

  it("lets a larger value grow a free buffer", () => {
    const small = t.matmul(leaf(4, 4), leaf(4, 4));
    const wide = t.matmul(t.matmul(small, small), leaf(4, 64));
    const { plan, lowered } = planOf(capture(t.matmul(leaf(4, 4), wide)));
    checkPlan(lowered, plan);
    expect(plan.slots).to.deep.equal([1024, 256]);
  });

  /** [64, 64], and behind it [64, 4] in the same program. */
  const largeThenThin = (): Tensor => t.matmul(t.matmul(leaf(64, 64), leaf(64, 64)), leaf(64, 4));

  it("packs small values into the place of a large one: no more than is alive at once", () => {
    const thin = largeThenThin();
    const parts = Array.from({ length: 4 }, () => t.matmul(thin, leaf(4, 16)));
    const { plan, lowered } = planOf(fuseProgram(capture(parts.reduce((sum, part) => sum.add(part)))));
    checkPlan(lowered, plan);
    expect(plan.slots).to.deep.equal([4 * 64 * 64, 4 * 64 * 4]);
    expect(plan.liveBytes).to.equal(4 * 64 * (64 + 4));
  });

  it("keeps what a dispatch writes out of the buffer that it reads, even where there is room", () => {
    const thin = largeThenThin();
    const parts = Array.from({ length: 12 }, () => t.matmul(thin, leaf(4, 4)));
    const sums = parts.map((part) => t.matmul(part, leaf(4, 4)).sum());
    const { plan, lowered } = planOf(capture(...sums));
    checkPlan(lowered, plan);
    expect(plan.slots).to.deep.equal([4 * 64 * 64, 4 * 64 * 4]);
  });

  it("assigns in place where nobody reads the old value any more", () => {
    const [p, g] = [leaf(8, 8), leaf(8, 8)];
    const value = t.matmul(g, g);
    const { plan } = planOf(assignTo(p, value));
    expect(plan.copies).to.deep.equal([]);
    expect(plan.slots).to.deep.equal([]);
  });

  it("copies at the end where the old value is read by the same dispatch or later", () => {
    const p = leaf(8, 8);
    const inPlace = planOf(assignTo(p, t.matmul(p, p)));
    checkPlan(inPlace.lowered, inPlace.plan);
    expect(inPlace.plan.copies).to.have.length(1);
    expect(inPlace.plan.copies[0]!.before).to.equal(inPlace.lowered.dispatches.length);
  });
});

describe("variables", () => {
  let v: Variable;
  beforeEach(() => {
    v = t.variable(t.tensor([1, 2, 3]));
  });

  afterEach(() => v.dispose());

  it("stand for their newest value", async () => {
    const before = v.mul(10);
    await t.evaluate(before);
    v.assign(v.add(1));
    const after = v.mul(10);
    await t.evaluate(v, after);
    expect([...(await before.data())]).to.deep.equal([10, 20, 30]);
    expect([...(await after.data())]).to.deep.equal([20, 30, 40]);
    expect([...(await v.data())]).to.deep.equal([2, 3, 4]);
  });

  it("keep their buffer", async () => {
    const { buffer } = v.storage.region;
    v.assign(v.add(1));
    await t.evaluate(v);
    expect(v.storage.region.buffer).to.equal(buffer);
  });

  it("fail with a sentence where an overwritten value is read", async () => {
    const old = v.mul(10);
    v.assign(v.add(1));
    await t.evaluate(v);
    await t.evaluate(old).then(
      () => expect.fail("evaluated a stale value"),
      (error: Error) => {
        expect(error).to.be.instanceOf(t.StaleValueError);
        expect(error.message).to.match(/Evaluate it before, or together with, the variable/);
      },
    );
  });

  it("swap their values", async () => {
    const w = t.variable(t.tensor([7, 8, 9]));
    const [a, b] = [v.mul(1), w.mul(1)];
    v.assign(b);
    w.assign(a);
    await t.evaluate(v, w);
    expect([...(await v.data()), ...(await w.data())]).to.deep.equal([7, 8, 9, 1, 2, 3]);
  });

  it("refuse another shape", () => {
    expect(() => v.assign(t.zeros([2]))).to.throw(
      t.ShapeError,
      /variable is f32 \[3\] but the value is f32 \[2\]/,
    );
  });
});
