/** What `grad` says where there is no gradient, and where it is zero. */
import { defineKernel } from "@ddad/kernels-wgsl";
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { gradientComposition } from "../src/autograd/gradientComposition.ts";
import { captureProgram } from "../src/program/program.ts";
import { record, zeroGradient } from "../src/record.ts";

/** 2 x by a kernel, with whatever derivative. */
const twice = defineKernel({
  name: "twice",
  inputs: ["x"],
  outputs: ["y", "other"],
  params: {},
  infer: ({ x }, _: Record<string, never>) => ({ outputs: { y: x, other: x }, params: {} }),
  variants: [],
  reference: ({ x }) => ({ y: x.map((value) => 2 * value), other: x.map((value) => 3 * value) }),
  cost: () => ({ flops: 0, bytes: 0 }),
  cases: [],
  refusals: [],
});

describe("grad", () => {
  it("throws at an operation without a gradient, and names it", () => {
    const x = t.tensor([1, 2]);
    const { y } = record(twice, { x }, {});
    expect(() => t.grad(y.sum(), [x])).to.throw(
      /grad: twice has no gradient towards its input x\. Use operations/,
    );
    expect(() => t.grad(y.sum(), [x], { allowUnused: true })).to.throw(
      /twice has no gradient towards its input x/,
    );
    const other = t.tensor([3, 4]);
    const [g] = t.grad(t.sum(t.mul(y, other)), [other]); // nobody asks for that of x
    expect(g!.shape).to.deep.equal([2]);
    expect(() => t.grad(t.sum(t.mul(y, x)), [x])).to.throw(/twice has no gradient/);
    expect(() => t.grad(t.sum(t.mul(t.floor(y), x)), [x])).not.to.throw(); // no gradient arrives there
  });

  it("throws at an output without a gradient", () => {
    const x = t.tensor([1, 2]);
    const { y, other } = record(twice, { x }, {}, { x: ({ y: g }) => t.mul(g, 2) });
    expect(() => t.grad(y.sum(), [x])).not.to.throw();
    expect(() => t.grad(y.add(other).sum(), [x])).to.throw(/twice has no gradient through its output other/);
  });

  it("takes a composition for other outputs and for other inputs", async () => {
    const x = t.tensor([1, 2]);
    const { other } = record(twice, { x }, {}, { x: ({ y: g }) => t.mul(g, 2) }, ({ x: given }) => ({
      other: t.mul(given, 3),
    }));
    expect([...(await t.grad(other.sum(), [x])[0]!.data())]).to.deep.equal([3, 3]);
  });

  it("is zero by a mark, and says so", async () => {
    const x = t.tensor([1.5, -2]);
    const { y } = record(twice, { x }, {}, { x: zeroGradient });
    const message = /the loss depends on input 0 \[2\] only through twice, which passes no gradient on/;
    expect(() => t.grad(y.sum(), [x])).to.throw(message);
    expect([...(await t.grad(y.sum(), [x], { allowUnused: true })[0]!.data())]).to.deep.equal([0, 0]);
    for (const step of [t.sign, t.floor, t.round]) {
      const [g] = t.grad(t.sum(t.mul(step(x), x)), [x]);
      const values = [...(await step(x).data())];
      expect([...(await g!.data())]).to.deep.equal(values);
    }
    expect(() => t.grad(t.sum(t.floor(x)), [x])).to.throw(/only through floor, which passes no gradient on/);
  });

  it("stops at detach, which copies nothing", async () => {
    const x = t.tensor([2, 3]);
    const [g] = t.grad(t.sum(t.mul(x, x.detach())), [x]);
    expect([...(await g!.data())]).to.deep.equal([2, 3]);
    expect(() => t.grad(t.sum(t.detach(x)), [x])).to.throw(
      /only through detach, which passes no gradient on/,
    );
    const constant = t.detach(x.mul(2));
    expect([...(await t.grad(t.sum(t.square(constant)), [constant])[0]!.data())]).to.deep.equal([8, 12]);
    expect(t.explain(t.mul(t.detach(x), 2))).not.to.match(/detach|copy/);
    expect(t.detach(t.tensor([1], [1], { dtype: "i32" })).dtype).to.equal("i32");
  });

  it("passes integers and bool by", async () => {
    const x = t.tensor([1.5, -2]);
    const [g] = t.grad(t.sum(t.where(t.greater(x, 0), x, t.cast(t.cast(x, "i32"), "f32"))), [x]);
    expect([...(await g!.data())]).to.deep.equal([1, 0]);
    expect(() => t.grad(t.sum(t.cast(t.greater(x, 0), "f32")), [x])).to.throw(/only through greater/);
    const count = t.tensor([1, 2], [2], { dtype: "i32" });
    const one = t.tensor([1], [1], { dtype: "i32" });
    // @ts-expect-error: the compiler knows, too
    expect(() => t.grad(t.sum(t.mul(x, t.cast(count, "f32"))), [count])).to.throw(
      t.ShapeError,
      /grad: input 0 \[2\] is i32, but only f32 and f16 have gradients/,
    );
    // @ts-expect-error: the same
    expect(() => t.grad(one.mul(2), [one])).to.throw(t.ShapeError, /the loss is i32/);
  });

  it("reports an input that the loss does not depend on", () => {
    const [a, b] = [t.tensor([1, 2]), t.tensor([3])];
    expect(() => t.grad(a.sum(), [a, b])).to.throw(
      /the loss does not depend on input 1 \[1\] by recorded operations/,
    );
    expect(() => t.grad(a, [a], { outputGradient: t.ones([3]) })).to.throw(
      /outputGradient must have the shape of the loss \[2\] but is \[3\]/,
    );
  });

  it("of a kernel's gradient is that of its composition, also where two inputs are one tensor", async () => {
    const product = defineKernel({
      name: "product",
      inputs: ["a", "b", "gradient"],
      outputs: ["aGradient", "bGradient"],
      params: {},
      infer: ({ a, b }, _: Record<string, never>) => ({
        outputs: { aGradient: a, bGradient: b },
        params: {},
      }),
      variants: [],
      reference: () => ({ aGradient: new Float64Array(), bGradient: new Float64Array() }),
      cost: () => ({ flops: 0, bytes: 0 }),
      cases: [],
      refusals: [],
    });
    const x = t.tensor([2, 5]);
    const gradient = t.tensor([1, 3]);
    const composition = gradientComposition(["a", "b"], ({ a, b }) => t.mul(a, b));
    const { aGradient, bGradient } = record(product, { a: x, b: x, gradient }, {}, composition);
    // aGradient = b · gradient, bGradient = a · gradient.
    const loss = t.sum(t.add(aGradient, t.mul(bGradient, 10)));
    const [towardsX, towardsGradient] = t.grad(loss, [x, gradient]);
    expect([...(await towardsX!.data())]).to.deep.equal([11, 33]);
    expect([...(await towardsGradient!.data())]).to.deep.equal([22, 55]);
  });

  it("records a composition only where a gradient is differentiated", () => {
    const x: t.Tensor = t.ones([2, 3, 4]);
    const y = t.groupNorm(x, { groups: 2, weight: t.ones([4]), bias: t.zeros([4]) });
    const kernelsOf = (target: t.Tensor): string[] =>
      captureProgram([target]).program.calls.map(({ kernel }) => kernel.name);
    const [g] = t.grad(t.sum(t.mul(y, y.detach())), [x]) as [t.Tensor];
    expect(kernelsOf(g).filter((name) => name !== "broadcast")).to.deep.equal([
      "groupNorm",
      "elementwise",
      "groupNormGradient",
    ]);
    expect(kernelsOf(t.grad(t.sum(t.square(g)), [x])[0]!).length).to.be.greaterThan(20);
  });

  it("goes through the statistics of batch norm", async () => {
    const x = t.tensor([1, 2, 3, 6], [2, 2]);
    const { mean, variance } = t.batchNorm(x, { weight: t.ones([2]), bias: t.zeros([2]) });
    expect([...(await t.grad(mean.sum(), [x])[0]!.data())]).to.deep.equal([0.5, 0.5, 0.5, 0.5]);
    expect([...(await t.grad(variance.sum(), [x])[0]!.data())]).to.deep.equal([-1, -2, 1, 2]);
  });
});
