/** Reading and writing places of their own, and what is made of index tensors: values against PyTorch's rules. */
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { expectTensor, i32, range } from "./values.ts";

describe("takeAlong and scatter", () => {
  it("read places of their own", async () => {
    const x = range(2, 3);
    await expectTensor(t.takeAlong(x, i32([2, -3, 0, 1], [2, 2]), 1), [2, 2], [2, 0, 3, 4]);
    await expectTensor(t.takeAlong(x, i32([1, 0, 5], [1, 3]), 0), [1, 3], [3, 1, 0]);
    await expectTensor(t.takeAlong(x, i32([], [2, 0]), -1), [2, 0], []);
  });

  it("write places of their own: the last one is kept, or all are combined", async () => {
    const x = t.ones([2, 3]).mul(10);
    const index = i32([0, 0, -1, 1, 1, 7], [2, 3]);
    const source = t.tensor([1, 2, 3, 4, 5, 6], [2, 3]);
    await expectTensor(t.scatter(x, index, source, 1), [2, 3], [2, 10, 3, 10, 5, 10]);
    await expectTensor(t.scatter(x, index, source, 1, { reduce: "add" }), [2, 3], [13, 10, 13, 10, 19, 10]);
    await expectTensor(t.scatter(x, index, source, 1, { reduce: "mul" }), [2, 3], [20, 10, 30, 10, 200, 10]);
    await expectTensor(t.scatter(x, index, source, 1, { reduce: "min" }), [2, 3], [1, 10, 3, 10, 4, 10]);
    await expectTensor(
      t.scatter(t.zeros([2, 3]), index, source, 1, { reduce: "max" }),
      [2, 3],
      [2, 0, 3, 0, 5, 0],
    );
    await expectTensor(t.scatter(x, index, t.tensor(7), 1), [2, 3], [7, 10, 7, 10, 7, 10]);
  });

  it("give the gradient to what was kept, and share it among ties", async () => {
    const x = t.tensor([3, 1, 1]);
    const source = t.tensor([3, 2, 3, 1]);
    const index = i32([0, 1, 0, 2]);
    const gradients = (options?: t.ScatterOptions) =>
      t.grad(
        t
          .scatter(x, index, source, 0, options)
          .mul(t.tensor([6, 12, 24]))
          .sum(),
        [x, source],
      );
    const [setX, setSource] = gradients();
    await expectTensor(setX!, [3], [0, 0, 0]);
    await expectTensor(setSource!, [4], [0, 12, 6, 24]);
    const [maxX, maxSource] = gradients({ reduce: "max" });
    await expectTensor(maxX!, [3], [2, 0, 12]);
    await expectTensor(maxSource!, [4], [2, 12, 2, 12]);
  });

  it("multiply by zeros with the right gradient", async () => {
    const x = t.tensor([2, 5]);
    const source = t.tensor([0, 3, 0, 0]);
    const y = t.scatter(x, i32([0, 0, 1, 1]), source, 0, { reduce: "mul" });
    const [toX, toSource] = t.grad(y.sum(), [x, source]);
    await expectTensor(toX!, [2], [0, 0]);
    await expectTensor(toSource!, [4], [6, 0, 0, 0]);
  });

  it("refuse what does not fit", () => {
    expect(() => t.takeAlong(range(2, 3), i32([0, 1]), 1)).to.throw(
      /takeAlong: index \[2\] must have as many axes as x \[2, 3\], and none larger but axis 1/,
    );
    expect(() => t.scatter(range(2, 3), i32([0, 0, 0], [3, 1]), t.ones([3, 1]), 1)).to.throw(
      /scatter: index \[3, 1\] must have as many axes/,
    );
    const reduce = "mean" as "add";
    expect(() => t.scatter(range(2), i32([0]), t.ones([1]), 0, { reduce })).to.throw(
      /scatter: reduce "mean" is none of add, mul, max, min/,
    );
  });
});

describe("oneHot and triangles", () => {
  it("mark places", async () => {
    await expectTensor(t.oneHot(i32([1, 0, -1, 3]), 3), [4, 3], [0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(t.oneHot(i32([1, 0], [2, 1]), 0).shape).to.deep.equal([2, 1, 0]);
    expect(() => t.oneHot(i32([1]), 1.5)).to.throw(/oneHot: classes must be a whole number/);
  });

  it("keep one side of matrices, whatever is on the other", async () => {
    const x = t.tensor([1, Number.NaN, 3, 4, 5, 6], [2, 3]);
    await expectTensor(t.tril(x), [2, 3], [1, 0, 0, 4, 5, 0]);
    await expectTensor(t.triu(range(2, 2, 2), 1), [2, 2, 2], [0, 1, 0, 0, 0, 5, 0, 0]);
    await expectTensor(t.tril(i32([1, 2, 3, 4], [2, 2]), -1), [2, 2], [0, 0, 3, 0]);
    await expectTensor(t.triu(t.tensor([true, true, true, true], [2, 2])), [2, 2], [1, 1, 0, 1]);
    expect(() => t.triu(range(3))).to.throw(/triu: x must have at least 2 axes but is \[3\]/);
  });

  it("are made anew in each call of a compiled function", async () => {
    const upper = t.compile((x: t.Tensor) => t.triu(x).add(t.oneHot(i32([1, 0]), 2)));
    for (const offset of [0, 10]) {
      const x = range(2, 2).add(offset);
      await t.evaluate(x);
      await expectTensor(await upper(x), [2, 2], [offset, offset + 2, 1, offset + 3]);
    }
  });

  it("take diagonals", async () => {
    await expectTensor(t.diagonal(range(3, 4)), [3], [0, 5, 10]);
    await expectTensor(t.diagonal(range(3, 4), 2), [2], [2, 7]);
    await expectTensor(t.diagonal(range(3, 4), -2), [1], [8]);
    await expectTensor(t.diagonal(range(3, 4), 4), [0], []);
    await expectTensor(t.diagonal(range(2, 3, 2), 0, 0, -1), [3, 2], [0, 7, 2, 9, 4, 11]);
    expect(() => t.diagonal(range(2, 2), 0, 1, -1)).to.throw(/axes 1 and -1 of \[2, 2\] must be two/);
  });
});

describe("tile, repeat and roll", () => {
  it("repeat as NumPy does", async () => {
    await expectTensor(t.tile(range(2), [2, 2]), [2, 4], [0, 1, 0, 1, 0, 1, 0, 1]);
    await expectTensor(t.tile(range(2, 2), [2]), [2, 4], [0, 1, 0, 1, 2, 3, 2, 3]);
    await expectTensor(t.tile(i32([1, 2]), [0]), [0], []);
    await expectTensor(t.repeat(range(2, 2), 2, -1), [2, 4], [0, 0, 1, 1, 2, 2, 3, 3]);
    await expectTensor(t.repeat(range(2, 2), 2, 0), [4, 2], [0, 1, 0, 1, 2, 3, 2, 3]);
    expect(() => t.tile(range(2), [-1])).to.throw(/tile: repeats \[-1\] must be whole numbers of at least 0/);
  });

  it("roll", async () => {
    await expectTensor(t.roll(range(2, 3), 1), [2, 3], [5, 0, 1, 2, 3, 4]);
    await expectTensor(t.roll(range(2, 3), -1, 1), [2, 3], [1, 2, 0, 4, 5, 3]);
    await expectTensor(t.roll(range(2, 3), [1, 4], [0, -1]), [2, 3], [5, 3, 4, 2, 0, 1]);
    expect(() => t.roll(range(2, 3), [1, 2], 0)).to.throw(
      /roll: shifts \[1, 2\] must be whole numbers, one for each/,
    );
  });
});
