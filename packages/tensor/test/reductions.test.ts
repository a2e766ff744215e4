/** Reductions, softmax and running totals: values at the edges, types, refusals. */
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { testDevice } from "./device.hooks.ts";

const { Infinity: inf } = globalThis;
const values = async (x: t.AnyTensor): Promise<number[]> => [...(await x.data())];
const shaped = (size: number, value: number): t.Tensor => t.full([size], value);

describe("reductions", () => {
  it("keep the mean of millions of equal values", async () => {
    for (const value of [0.1, 1000.1]) {
      for (const size of [1e5, 1e6, 4e6]) {
        const mean = await shaped(size, value).mean().item();
        expect(Math.abs(mean / Math.fround(value) - 1), `${size} × ${value}`).to.be.below(1e-6);
      }
    }
  });

  it("have x's type, i32 for bool", async () => {
    const i = t.tensor([3, -5, 7], { dtype: "i32" });
    const u = t.tensor([3, 5, 4294967290], { dtype: "u32" });
    const b = t.tensor([true, false, true]);
    const results = [
      i.sum(),
      u.max(),
      u.sum(),
      b.sum(),
      b.prod(),
      i.prod(),
      b.max(),
      i.min(),
      b.any(),
      i.all(),
    ];
    expect(results.map(({ dtype }) => dtype)).to.deep.equal([
      "i32",
      "u32",
      "u32",
      "i32",
      "i32",
      "i32",
      "bool",
      "i32",
      "bool",
      "bool",
    ]);
    expect(await Promise.all(results.map((result) => result.item()))).to.deep.equal([
      5, 4294967290, 2, 2, 0, -105, 1, -5, 1, 1,
    ]);
    expect(await i.sum(undefined, { dtype: "f32" }).item()).to.equal(5);
    expect(await b.cumsum().data()).to.deep.equal(Int32Array.of(1, 1, 2));
    expect(await values(t.tensor([-1, -2], { dtype: "i32" }).cumprod(0, { exclusive: true }))).to.deep.equal([
      1, -1,
    ]);
  });

  it("let NaN through", async () => {
    const x = t.tensor([
      [1, Number.NaN, 3],
      [4, 5, 6],
      [Number.NaN, -inf, inf],
    ]);
    expect(await values(x.max(1))).to.deep.equal([Number.NaN, 6, Number.NaN]);
    expect(await values(x.min(1))).to.deep.equal([Number.NaN, 4, Number.NaN]);
    expect(await values(x.any(1))).to.deep.equal([1, 1, 1]);
    expect(await values(x.sum(1))).to.deep.equal([Number.NaN, 15, Number.NaN]);
  });

  it("of nothing are their identity, and there is no largest of nothing", async () => {
    const x = t.zeros([2, 0]);
    expect(await values(x.sum(1))).to.deep.equal([0, 0]);
    expect(await values(x.prod(1))).to.deep.equal([1, 1]);
    expect(await values(x.any(1))).to.deep.equal([0, 0]);
    expect(await values(x.all(1))).to.deep.equal([1, 1]);
    expect(await values(x.mean(1))).to.deep.equal([Number.NaN, Number.NaN]);
    expect(await values(x.logSumExp(1))).to.deep.equal([-inf, -inf]);
    expect(await values(x.norm(1))).to.deep.equal([0, 0]);
    expect((await x.var(1).data()).every(Number.isNaN)).to.equal(true);
    expect(x.max(0).shape).to.deep.equal([0]);
    for (const y of [x.max(0), x.softmax(), x.logSoftmax(0), x.cumsum(), x.cumprod(0), x.sum(0)])
      expect(await values(y)).to.deep.equal([]);
    expect(() => x.max(1)).to.throw(t.ShapeError, /max: x \[2, 0\] has no elements along the axes \[1\]/);
    const empty = t.zeros([0, 3]);
    const loss = t.sum(
      empty
        .softmax()
        .add(empty.cumprod())
        .add(empty.logSoftmax())
        .add(empty.logSumExp(1, { keepDims: true })),
    );
    const [gradient] = t.grad(loss, [empty]);
    expect(gradient!.shape).to.deep.equal([0, 3]);
    expect(await values(gradient!)).to.deep.equal([]);
  });

  it("take the gradient of the largest of empty rows", async () => {
    const x = t.zeros([0, 3]);
    const [gradient] = t.grad(t.sum(x.max(1)).add(x.std(1).sum()).add(x.prod(1).sum()), [x]);
    expect(gradient!.shape).to.deep.equal([0, 3]);
  });

  it("refuse means of integers with a sentence", () => {
    const i = t.tensor([1, 2], { dtype: "i32" }) as t.AnyTensor as t.Tensor;
    const ops = { mean: t.mean, std: t.std, norm: t.norm, logSumExp: t.logSumExp, softmax: t.softmax };
    for (const [op, run] of Object.entries(ops))
      expect(() => run(i), op).to.throw(
        t.ShapeError,
        new RegExp(`${op}: x must be f32 or f16 but is i32; cast it first`),
      );
    expect(() => t.sum(t.zeros([2, 3]), [0, -2])).to.throw(
      t.ShapeError,
      /sum: axis 0 is named twice in \[0, -2\]/,
    );
    expect(() => t.prod(t.zeros([2]), 0, { dtype: "bool" })).to.throw(
      t.ShapeError,
      /prod: dtype must be a number type/,
    );
    expect(() => t.softmax(t.zeros([2]), 1)).to.throw(t.ShapeError, /softmax: axis 1 is outside of \[2\]/);
  });
});

describe("softmax and log-sum-exp", () => {
  const rows = [
    [-inf, -inf, -inf],
    [-inf, 1, 1],
    [1000, 1000, -1000],
    [inf, 1, 2],
  ];

  it("treat infinities as PyTorch does", async () => {
    const x = t.tensor(rows);
    const soft = await values(x.softmax());
    expect(soft.slice(0, 3).every(Number.isNaN)).to.equal(true);
    expect(soft.slice(3, 9)).to.deep.equal([0, 0.5, 0.5, 0.5, 0.5, 0]);
    expect(soft.slice(9).every(Number.isNaN)).to.equal(true);
    const log = await values(x.logSoftmax());
    expect(log.slice(0, 3).every(Number.isNaN)).to.equal(true);
    expect(log[3]).to.equal(-inf);
    expect(log[8]).to.be.closeTo(-2000.6931, 1e-3);
    const total = await values(x.logSumExp(1));
    expect([total[0], total[3]]).to.deep.equal([-inf, inf]);
    expect(total[1]).to.be.closeTo(1 + Math.LN2, 1e-6);
    expect(total[2]).to.be.closeTo(1000 + Math.LN2, 1e-4);
    expect(await values(t.tensor([[Number.NaN, 1]]).logSumExp(1))).to.deep.equal([Number.NaN]);
  });

  it("have a gradient of zero where all is −∞", async () => {
    const x = t.tensor(rows.slice(0, 2));
    const [gradient] = t.grad(
      x
        .logSumExp(1)
        .mul(t.tensor([1, 2]))
        .sum(),
      [x],
    );
    expect(await values(gradient!)).to.deep.equal([0, 0, 0, 0, 1, 1]);
  });
});

describe("variance, std and norms", () => {
  const x = () =>
    t.tensor([
      [1, 2, 4, 8],
      [3, 3, 3, 3],
    ]);

  it("divide by n − correction", async () => {
    const [first, second] = await values(x().var(1));
    expect(first).to.be.closeTo(28.75 / 3, 1e-5);
    expect(second).to.equal(0);
    expect(await values(x().var(1, { correction: 0 }))).to.deep.equal([7.1875, 0]);
    expect((await x().std(1).data())[0]).to.be.closeTo(3.0956959, 1e-6);
    expect(await t.tensor([5]).var().item()).to.be.NaN;
    expect(await t.tensor([5, 6]).var(0, { correction: 3 }).item()).to.equal(Infinity);
    expect(x().std(1, { keepDims: true }).shape).to.deep.equal([2, 1]);
  });

  it("are norms of any order", async () => {
    const of = (p: number): Promise<number[]> => values(t.tensor([[3, -4, 0]]).norm(1, { p }));
    expect(await of(2)).to.deep.equal([5]);
    expect(await of(1)).to.deep.equal([7]);
    expect(await of(0)).to.deep.equal([2]);
    expect(await of(inf)).to.deep.equal([4]);
    expect(await of(-inf)).to.deep.equal([0]);
    expect((await of(3))[0]).to.be.closeTo(91 ** (1 / 3), 1e-4);
    expect(await of(-1)).to.deep.equal([0]);
    expect(() => x().norm(1, { p: Number.NaN })).to.throw(
      t.ShapeError,
      /norm: p must be a number but is NaN/,
    );
  });

  it("have a gradient of zero where they are zero", async () => {
    const zero = t.zeros([2, 2]);
    for (const y of [zero.norm(1), zero.norm(1, { p: 3 }), zero.norm(1, { p: 0.5 }), zero.std(1)]) {
      const [gradient] = t.grad(y.sum(), [zero]);
      expect(await values(gradient!)).to.deep.equal([0, 0, 0, 0]);
    }
  });
});

describe("reductions in f16", () => {
  before(function () {
    if (testDevice().capabilities.f16) return;
    console.log("    skipped: this adapter has no shader-f16");
    this.skip();
  });

  it("keep f16 and are computed in f32", async () => {
    const x = t.full([3, 4096], 20, { dtype: "f16" });
    const results = [
      x.mean(1),
      x.max(1),
      x.softmax(0).sum(0),
      x.std(1),
      x.norm(0),
      x.logSumExp(0),
      x.cumsum(0),
      x.logSoftmax(),
    ];
    for (const { dtype } of results) expect(dtype).to.equal("f16");
    expect(await values(x.mean(1))).to.deep.equal([20, 20, 20]);
    const wide = x.sum(1, { dtype: "f32" });
    expect(wide.dtype).to.equal("f32");
    expect(await values(wide)).to.deep.equal([81920, 81920, 81920]);
  });

  it("sum gradients in f32", async () => {
    const x = t.full([70001, 1], 1, { dtype: "f16" });
    const w = t.full([1, 1], 1, { dtype: "f32" });
    const loss = x.mul(w.cast("f16")).sum(undefined, { dtype: "f32" });
    expect(await values(t.grad(loss, [w])[0]!)).to.deep.equal([70001]);
  });
});
