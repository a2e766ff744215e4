import { compile, evaluate, grad, recompute, tensor } from "@ddad/tensor";
import { expect } from "chai";
import { setSeed } from "../src/init.ts";
import { rand, randn } from "../src/random.ts";

const moments = (values: Float32Array) => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length };
};

describe("random tensors", () => {
  it("have the moments of their distributions, with standard errors below a hundredth", async () => {
    setSeed(5);
    const uniform = await rand([40, 500]).data();
    expect(Math.min(...uniform)).to.be.at.least(0);
    expect(Math.max(...uniform)).to.be.lessThan(1);
    expect(moments(uniform).mean).to.be.closeTo(1 / 2, 0.02);
    expect(moments(uniform).variance).to.be.closeTo(1 / 12, 0.01);
    const normal = moments(await randn([40, 500]).data());
    expect(normal.mean).to.be.closeTo(0, 0.04);
    expect(normal.variance).to.be.closeTo(1, 0.05);
  });

  it("are new in each call, and the same after setSeed", async () => {
    setSeed(6);
    const [first, second] = [await randn([8]).data(), await randn([8]).data()];
    setSeed(6);
    expect(await randn([8]).data()).to.deep.equal(first);
    expect(second).to.not.deep.equal(first);
  });

  it("are new in each call of a compiled function, and differ within it", async () => {
    const step = compile((x: ReturnType<typeof randn>) => ({ a: randn([8]).add(x), b: randn([8]).add(x) }));
    const seen = new Set<string>();
    for (let call = 0; call < 3; call++) {
      const { a, b } = await step(tensor(0));
      for (const drawn of [a, b]) seen.add([...(await drawn.data())].join());
    }
    expect(seen.size).to.equal(6);
  });

  it("are the same when recompute runs a function again: d(x · noise)/dx is that noise", async () => {
    const x = tensor([1, 1, 1, 1]);
    const y = recompute((input: typeof x) => input.mul(randn([4])).square())(x);
    const [gradient] = grad(y.sum(), [x]);
    await evaluate(y, gradient!);
    const [values, slopes] = [await y.data(), await gradient!.data()];
    for (const [k, value] of values.entries()) expect(slopes[k]).to.be.closeTo(2 * value, 1e-5);
  });

  it("may be scalars or without elements", async () => {
    expect((await rand([]).data()).length).to.equal(1);
    expect((await randn([3, 0]).data()).length).to.equal(0);
  });
});
