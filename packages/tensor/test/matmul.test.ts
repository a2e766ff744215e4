/** Matrix products by NumPy's rules: vectors, batches that are broadcast, and sums of no terms. */
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { expectTensor, range } from "./values.ts";

describe("matmul", () => {
  it("takes vectors", async () => {
    await expectTensor(t.matmul(range(3), range(3)), [], [5]);
    await expectTensor(t.matmul(range(2, 3), range(3)), [2], [5, 14]);
    await expectTensor(t.matmul(range(2), range(2, 3)), [3], [3, 4, 5]);
    await expectTensor(t.matmul(range(2, 2, 3), range(3)), [2, 2], [5, 14, 23, 32]);
    await expectTensor(t.matmul(range(2), range(2, 2, 1)), [2, 1], [1, 3]);
  });

  it("broadcasts batches on both sides", async () => {
    const [a, b] = [range(2, 1, 1, 2), range(3, 2, 1)];
    await expectTensor(t.matmul(a, b), [2, 3, 1, 1], [1, 3, 5, 3, 13, 23]);
    await expectTensor(t.matmul(range(2, 2), range(2, 2, 1)), [2, 2, 1], [1, 3, 3, 13]);
  });

  it("gives the bias, or zeros, where there is nothing to sum", async () => {
    await expectTensor(t.matmul(t.zeros([2, 0]), t.zeros([0, 2])), [2, 2], [0, 0, 0, 0]);
    await expectTensor(t.linear(t.zeros([2, 0]), t.zeros([0, 2]), range(2)), [2, 2], [0, 1, 0, 1]);
    await expectTensor(t.matmul(t.zeros([0, 3]), t.zeros([3, 2])), [0, 2], []);
    await expectTensor(t.matmul(t.zeros([0, 2, 3]), t.zeros([3, 2])), [0, 2, 2], []);
    await expectTensor(t.linear(t.zeros([0, 3]), range(3, 2)), [0, 2], []);
  });

  it("has gradients without rows and without terms", async () => {
    const [x, w] = [t.zeros([0, 3]), range(3, 2)];
    const [toX, toW] = t.grad(t.matmul(x, w).sum(), [x, w]);
    await expectTensor(toX!, [0, 3], []);
    await expectTensor(toW!, [3, 2], [0, 0, 0, 0, 0, 0]);
    const [a, b] = [t.zeros([2, 0]), t.zeros([0, 2])];
    const [toA, toB] = t.grad(t.matmul(a, b).square().sum(), [a, b]);
    await expectTensor(toA!, [2, 0], []);
    await expectTensor(toB!, [0, 2], []);
  });

  it("refuses what has no product", () => {
    expect(() => t.matmul(t.tensor(2), range(2))).to.throw(/matmul: a is \[\], but use mul/);
    expect(() => t.matmul(range(2), range(2, 2), { transposeA: true })).to.throw(
      /matmul: a is \[2\], but a vector has no transpose; leave that out/,
    );
    expect(() => t.matmul(range(2, 1, 2), range(3, 2, 1))).to.throw(
      /matmul, batch axes: shapes \[2\] and \[3\] do not broadcast/,
    );
    expect(() => t.matmul(range(2, 3), range(2))).to.throw(
      /matmul: a \[2, 3\] has 3 columns but b \[2, 1\] has 2 rows/,
    );
  });
});
