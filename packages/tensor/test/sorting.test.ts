/** argmax, argmin, sort, argsort and topK: ties, NaN, types, lengths, refusals. */
import { uniformGenerator } from "@ddad/kernels-wgsl";
import * as t from "@ddad/tensor";
import { expect } from "chai";

const values = async (x: t.AnyTensor): Promise<number[]> => [...(await x.data())];

describe("argmax and argmin", () => {
  it("give the first of equals, and NaN wins", async () => {
    const x = t.tensor([
      [1, 3, 3, -2, -2],
      [5, Number.NaN, 9, Number.NaN, -1],
    ]);
    expect(x.argmax(1).dtype).to.equal("i32");
    expect(await values(x.argmax(1))).to.deep.equal([1, 1]);
    expect(await values(x.argmin(-1))).to.deep.equal([3, 1]);
    expect(await values(x.argmax())).to.deep.equal([6]);
    expect(await values(t.tensor([0, -0]).argmin())).to.deep.equal([0]);
    expect(
      await values(
        t.argmin(
          t.tensor(
            [
              [3, -7],
              [2, 9],
            ],
            { dtype: "i32" },
          ),
        ),
      ),
    ).to.deep.equal([1]);
    expect(await values(t.argmax(t.tensor([7, 4294967295], { dtype: "u32" }), 0))).to.deep.equal([1]);
    expect(await values(t.argmax(t.tensor([false, true, true])))).to.deep.equal([1]);
  });

  it("have the shapes of reductions", () => {
    const x = t.zeros([2, 3, 4]);
    expect(x.argmax().shape).to.deep.equal([]);
    expect(x.argmax(undefined, { keepDims: true }).shape).to.deep.equal([1, 1, 1]);
    expect(x.argmax(1).shape).to.deep.equal([2, 4]);
    expect(x.argmax(1, { keepDims: true }).shape).to.deep.equal([2, 1, 4]);
    expect(t.zeros([0, 3]).argmax(1).shape).to.deep.equal([0]);
    expect(() => t.zeros([0, 3]).argmax()).to.throw(t.ShapeError, /argmax: x \[0\] has no elements/);
    expect(() => x.argmax(3)).to.throw(t.ShapeError, /argmax: axis 3 is outside of \[2, 3, 4\]/);
  });
});

describe("sort, argsort and topK", () => {
  it("are stable, with NaN as the largest", async () => {
    const x = t.tensor([2, Number.NaN, 1, 2, -Infinity, Infinity, 1]);
    const rising = x.sort();
    expect(await values(rising.values)).to.deep.equal([-Infinity, 1, 1, 2, 2, Infinity, Number.NaN]);
    expect(await values(rising.indices)).to.deep.equal([4, 2, 6, 0, 3, 5, 1]);
    const falling = x.sort({ descending: true });
    expect(await values(falling.values)).to.deep.equal([Number.NaN, Infinity, 2, 2, 1, 1, -Infinity]);
    expect(await values(falling.indices)).to.deep.equal([1, 5, 0, 3, 2, 6, 4]);
    expect(
      await values(
        t.argsort(
          t.tensor(
            [
              [3, 1],
              [2, 4],
            ],
            { dtype: "i32" },
          ),
          { axis: 0 },
        ),
      ),
    ).to.deep.equal([1, 0, 0, 1]);
  });

  it("take the largest or the smallest", async () => {
    const x = t.tensor([
      [4, 9, 2, 9],
      [-1, -3, -2, -4],
    ]);
    const largest = x.topK(2);
    expect(await values(largest.values)).to.deep.equal([9, 9, -1, -2]);
    expect(await values(largest.indices)).to.deep.equal([1, 3, 0, 2]);
    const smallest = t.topK(x, 1, { axis: 0, largest: false });
    expect(await values(smallest.values)).to.deep.equal([-1, -3, -2, -4]);
    expect(await values(smallest.indices)).to.deep.equal([1, 1, 1, 1]);
    expect(x.topK(0).values.shape).to.deep.equal([2, 0]);
    expect(() => x.topK(5)).to.throw(t.ShapeError, /topK: k must be a whole number from 0 to 4, .* but is 5/);
  });

  it("sort a million elements, and undo it", async function () {
    this.timeout(120_000);
    const uniform = uniformGenerator(3);
    const data = Float32Array.from({ length: 2 ** 20 + 3 }, () => Math.fround(uniform() - 0.5));
    const sorted = t.tensor(data).sort();
    const [order, places] = await Promise.all([sorted.values.data(), sorted.indices.data()]);
    expect(order).to.deep.equal(Float32Array.from(data).sort());
    expect(places.every((place, k) => data[place] === order[k])).to.equal(true);
    expect(new Set(places).size).to.equal(data.length);
  });

  it("take empty tensors", async () => {
    const x = t.zeros([3, 0]);
    expect(await values(x.sort().values)).to.deep.equal([]);
    expect(x.argsort({ axis: 0 }).shape).to.deep.equal([3, 0]);
    const [gradient] = t.grad(x.sort().values.sum(), [x]);
    expect(await values(gradient!)).to.deep.equal([]);
  });

  it("pass gradients to where each element was", async () => {
    const x = t.tensor([3, 1, 2]);
    const [gradient] = t.grad(
      x
        .sort()
        .values.mul(t.tensor([10, 20, 30]))
        .sum(),
      [x],
    );
    expect(await values(gradient!)).to.deep.equal([30, 10, 20]);
    const [ofLargest] = t.grad(x.topK(1).values.sum(), [x]);
    expect(await values(ofLargest!)).to.deep.equal([1, 0, 0]);
    expect(() => t.grad(x.argsort().cast("f32").sum(), [x])).to.throw(/the loss does not depend on input 0/);
  });
});
