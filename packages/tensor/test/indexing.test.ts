/** `index` by NumPy's and PyTorch's rules. */
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { expectTensor, i32, range } from "./values.ts";

describe("index", () => {
  it("takes elements, ranges and new axes", async () => {
    const x = range(2, 3, 2);
    await expectTensor(t.index(x, 1), [3, 2], [6, 7, 8, 9, 10, 11]);
    await expectTensor(t.index(x, -1, 0, 1), [], [7]);
    await expectTensor(t.index(x, "...", 0), [2, 3], [0, 2, 4, 6, 8, 10]);
    await expectTensor(t.index(x, ":", [1, -1], null), [2, 1, 1, 2], [2, 3, 8, 9]);
    await expectTensor(t.index(x, 0, [undefined, undefined, -2]), [2, 2], [4, 5, 0, 1]);
    await expectTensor(t.index(x, null, "...", 1, null), [1, 2, 3, 1], [1, 3, 5, 7, 9, 11]);
    expect(t.index(x), "nothing is taken").to.equal(x);
  });

  it("takes places of tensors", async () => {
    const x = range(2, 3, 2);
    await expectTensor(t.index(x, ":", i32([2, 0])), [2, 2, 2], [4, 5, 0, 1, 10, 11, 6, 7]);
    await expectTensor(t.index(x, 0, i32([[-1], [5]].flat(), [2, 1])), [2, 1, 2], [4, 5, 0, 0]);
    await expectTensor(t.index(x, ":", null, i32([1])), [2, 1, 1, 2], [2, 3, 8, 9]);
  });

  it("takes elements that several tensors name together", async () => {
    const x = range(2, 3, 4);
    await expectTensor(
      t.index(x, i32([0, 1, -1]), i32([2, 0, 9])),
      [3, 4],
      [8, 9, 10, 11, 12, 13, 14, 15, 0, 0, 0, 0],
    );
    await expectTensor(
      t.index(x, i32([0, 1], [2, 1]), ":", i32([3, -4])),
      [2, 2, 3],
      [3, 7, 11, 0, 4, 8, 15, 19, 23, 12, 16, 20],
    );
    await expectTensor(t.index(x, 1, i32([0, 2]), i32([1, 3])), [2], [13, 23]);
    const unsigned = t.tensor([1, 4294967295], [2], { dtype: "u32" });
    await expectTensor(t.index(x, ":", unsigned, unsigned), [2, 2], [5, 0, 17, 0]);
  });

  it("has gradients", async () => {
    const x = range(2, 3);
    const [g] = t.grad(
      t
        .index(x, i32([0, 1, 0]), i32([2, 0, 2]))
        .mul(t.tensor([1, 2, 4]))
        .sum(),
      [x],
    );
    await expectTensor(g!, [2, 3], [0, 0, 5, 2, 0, 0]);
  });

  it("refuses what it cannot mean", () => {
    const x = range(2, 3);
    expect(() => t.index(x, 2)).to.throw(/index: 2 is outside of axis 0 of x \[2, 3\], which has 2 elements/);
    expect(() => t.index(x, 0, 0, 0)).to.throw(
      /index: 3 entries are too many for x \[2, 3\], which has 2 axes/,
    );
    expect(() => t.index(x, "...", "...")).to.throw(/index: "\.\.\." may stand once, but is there twice/);
    expect(() => t.index(x, [0, 1, 0])).to.throw(/index: start 0, end 1 and step 0 must be whole numbers/);
    expect(() => t.index(x, t.tensor([true, false]))).to.throw(
      /index: the number of elements that a bool mask selects/,
    );
    expect(() => t.index(x, range(1))).to.throw(
      /index: places must be i32 or u32 but are f32; cast them first/,
    );
  });
});
