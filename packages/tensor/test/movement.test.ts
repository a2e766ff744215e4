/** Operations that move elements: values of every type, positions from the end, and tensors without elements. */
import { uniformGenerator } from "@ddad/kernels-wgsl";
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { expectTensor, i32, range } from "./values.ts";

describe("slice", () => {
  it("takes positions as Array.slice does", async () => {
    const x = range(3, 4);
    await expectTensor(t.slice(x, [1]), [2, 4], [4, 5, 6, 7, 8, 9, 10, 11]);
    await expectTensor(t.slice(x, [-1, 1], [undefined, -1]), [1, 2], [9, 10]);
    await expectTensor(t.slice(x, [0, -2], [1, 99]), [1, 2], [2, 3]);
    await expectTensor(t.slice(x, [0, 0], [undefined, undefined], [2, 3]), [2, 2], [0, 3, 8, 11]);
    await expectTensor(t.slice(x, [2], [1]), [0, 4], []);
    expect(t.slice(x, [0, 0], [3, 4]), "nothing is cut").to.equal(x);
  });

  it("takes what Array.slice takes, at random", async () => {
    const uniform = uniformGenerator(3);
    const position = (): number | undefined =>
      uniform() < 0.2 ? undefined : Math.floor(24 * uniform()) - 12;
    const elements = Array.from({ length: 7 }, (_, k) => k);
    const x = range(7);
    for (let round = 0; round < 40; round++) {
      const [start, end, by] = [position(), position(), 1 + Math.floor(3 * uniform())];
      const expected = elements.slice(start, end).filter((_, k) => k % by === 0);
      await expectTensor(t.slice(x, [start], [end], [by]), [expected.length], expected);
    }
  });

  it("reads backwards", async () => {
    const x = range(2, 5);
    await expectTensor(t.slice(x, [undefined, undefined], [], [1, -2]), [2, 3], [4, 2, 0, 9, 7, 5]);
    await expectTensor(t.slice(x, [1, 3], [0, 0], [-1, -1]), [1, 3], [8, 7, 6]);
    await expectTensor(t.slice(x, [0, -1], [1, -4], [1, -1]), [1, 3], [4, 3, 2]);
  });

  it("refuses what it cannot mean", () => {
    const x = range(2, 3);
    expect(() => t.slice(x, [0, 0, 0])).to.throw(
      /slice: start \[0, 0, 0\] has 3 numbers but x \[2, 3\] has 2 axes/,
    );
    expect(() => t.slice(x, [0.5])).to.throw(
      /slice: start 0.5, end undefined and step 1 must be whole numbers/,
    );
    expect(() => t.slice(x, [0], [1], [0])).to.throw(/and the step not 0/);
  });
});

describe("pad", () => {
  it("takes any constant, and two of them are two programs", async () => {
    const x = range(2);
    const [up, down, none] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
    await expectTensor(t.pad(x, [1], [1], up), [4], [up, 0, 1, up]);
    await expectTensor(t.pad(x, [1], [1], down), [4], [down, 0, 1, down]);
    await expectTensor(t.pad(x, [1], [1], none), [4], [none, 0, 1, none]);
    await expectTensor(t.pad(i32([5]), [0], [2], -(2 ** 31)), [3], [5, -(2 ** 31), -(2 ** 31)]);
    await expectTensor(t.pad(t.tensor([1, 0], [2], { dtype: "bool" }), [1], [0], true), [3], [1, 1, 0]);
  });

  it("cuts where the numbers are negative", async () => {
    await expectTensor(t.pad(range(2, 3), [-1, 1], [0, -2], 9), [1, 2], [9, 3]);
  });

  it("mirrors, repeats and wraps around", async () => {
    const x = range(2, 3);
    await expectTensor(
      t.pad(x, [1, 2], [0, 1], { mode: "reflect" }),
      [3, 6],
      [5, 4, 3, 4, 5, 4, 2, 1, 0, 1, 2, 1, 5, 4, 3, 4, 5, 4],
    );
    await expectTensor(
      t.pad(x, [0, 2], [1, 0], { mode: "edge" }),
      [3, 5],
      [0, 0, 0, 1, 2, 3, 3, 3, 4, 5, 3, 3, 3, 4, 5],
    );
    await expectTensor(t.pad(range(3), [4], [2], { mode: "wrap" }), [9], [2, 0, 1, 2, 0, 1, 2, 0, 1]);
    await expectTensor(
      t.pad(range(3), [5], [4], { mode: "reflect" }),
      [12],
      [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2],
    );
    await expectTensor(t.pad(range(1), [2], [1], { mode: "reflect" }), [4], [0, 0, 0, 0]);
  });

  it("refuses what it cannot do", () => {
    expect(() => t.pad(range(2, 3), [1], [1])).to.throw(
      /pad: before \[1\] and after \[1\] must have one number for each axis of x \[2, 3\]/,
    );
    expect(() => t.pad(range(2), [-2], [-1])).to.throw(
      /pad: 3 elements cannot be cut from axis 0 of x \[2\]/,
    );
    expect(() => t.pad(t.zeros([0]), [1], [0], { mode: "edge" })).to.throw(
      /pad: mode "edge" has nothing to add to axis 0 of \[0\]/,
    );
    const mode = "mirror" as "edge";
    expect(() => t.pad(range(2), [1], [0], { mode })).to.throw(
      /pad: mode "mirror" is none of constant, edge, reflect, wrap/,
    );
    expect(() => t.pad(i32([1]), [1], [0], 0.5)).to.throw(/pad: value 0.5 does not fit into i32/);
  });
});

describe("joining and cutting", () => {
  it("joins many tensors in few dispatches", async () => {
    const parts = Array.from({ length: 9 }, (_, index) => t.full([2, (index % 3) + 1], index).add(0));
    const joined = t.concat(parts, -1);
    expect(t.explain(joined).match(/= concat\(/g)).to.have.length(2);
    const row = parts.flatMap(({ shape }, index) => new Array<number>(shape[1]!).fill(index));
    await expectTensor(joined, [2, row.length], [...row, ...row]);
  });

  it("stacks and splits", async () => {
    await expectTensor(t.stack([range(2), range(2)], -1), [2, 2], [0, 0, 1, 1]);
    const parts = t.split(range(5, 1), 2);
    expect(parts.map(({ shape }) => shape)).to.deep.equal([
      [2, 1],
      [2, 1],
      [1, 1],
    ]);
    await expectTensor(parts[2]!, [1, 1], [4]);
    await expectTensor(t.split(range(2, 3), [1, 0, 2], 1)[2]!, [2, 2], [1, 2, 4, 5]);
    expect(t.chunk(range(6), 4).map(({ shape }) => shape)).to.deep.equal([[2], [2], [2]]);
    expect(t.split(t.zeros([0, 2]), 3).map(({ shape }) => shape)).to.deep.equal([[0, 2]]);
  });

  it("refuses what does not fit", () => {
    expect(() => t.concat([])).to.throw(/concat: needs at least one tensor/);
    expect(() => t.concat([range(2), range(2), i32([1])])).to.throw(
      /concat: tensor 0 is f32 but tensor 2 is i32; cast/,
    );
    expect(() => t.concat([range(2, 3), range(2, 4)], 0)).to.throw(
      /tensor 1 \[2, 4\] may differ in axis 0 only/,
    );
    expect(() => t.stack([range(2), range(3)])).to.throw(/stack: tensor 0 is \[2\] but tensor 1 is \[3\]/);
    expect(() => t.split(range(5), [2, 2])).to.throw(
      /split: sizes \[2, 2\] add up to 4, but axis 0 of x \[5\] has 5 elements/,
    );
    expect(() => t.split(range(5), 0)).to.throw(
      /split: the size must be a whole number of at least 1 but is 0/,
    );
    expect(() => t.chunk(range(5), 0)).to.throw(/chunk: count must be a whole number of at least 1/);
  });
});

describe("shapes", () => {
  it("flattens, squeezes and unsqueezes", () => {
    const x = range(2, 1, 3, 1);
    expect(t.flatten(x).shape).to.deep.equal([6]);
    expect(t.flatten(x, 1, -2).shape).to.deep.equal([2, 3, 1]);
    expect(t.flatten(t.tensor(5)).shape).to.deep.equal([1]);
    expect(t.squeeze(x).shape).to.deep.equal([2, 3]);
    expect(t.squeeze(x, -1).shape).to.deep.equal([2, 1, 3]);
    expect(t.unsqueeze(range(2, 3), -1).shape).to.deep.equal([2, 3, 1]);
    expect(t.unsqueeze(range(2, 3), [0, 2]).shape).to.deep.equal([1, 2, 1, 3]);
    expect(() => t.squeeze(x, 0)).to.throw(/squeeze: axis 0 of \[2, 1, 3, 1\] has 2 elements, not one/);
    expect(() => t.flatten(x, 2, 1)).to.throw(/flatten: axis 2 of \[2, 1, 3, 1\] lies behind axis 1/);
  });

  it("reshapes what has no elements", async () => {
    await expectTensor(t.reshape(t.zeros([0, 3]), [-1]), [0], []);
    await expectTensor(t.reshape(t.zeros([0, 3]), [-1, 3]), [0, 3], []);
    expect(() => t.reshape(t.zeros([0, 3]), [0, -1])).to.throw(/reshape: −1 cannot be inferred in \[0, -1\]/);
    expect(() => t.reshape(range(4), [-2, -2])).to.throw(/reshape: extents \[-2, -2\] must be whole numbers/);
  });

  it("permutes with axes from the end", async () => {
    await expectTensor(t.permute(range(2, 3), [-1, 0]), [3, 2], [0, 3, 1, 4, 2, 5]);
    await expectTensor(t.transpose(range(2, 3)), [3, 2], [0, 3, 1, 4, 2, 5]);
    expect(t.transpose(range(2, 3, 4), 0, -1).shape).to.deep.equal([4, 3, 2]);
    expect(() => t.permute(range(2, 3), [0, -2])).to.throw(
      /order \[0, -2\] must name each of the 2 axes of x \[2, 3\] once/,
    );
  });

  it("flips", async () => {
    await expectTensor(t.flip(range(2, 3), -1), [2, 3], [2, 1, 0, 5, 4, 3]);
    await expectTensor(t.flip(range(2, 2)), [2, 2], [3, 2, 1, 0]);
    await expectTensor(t.flip(t.tensor([1, 0, 0], [3], { dtype: "bool" })), [3], [0, 0, 1]);
  });
});

describe("gather", () => {
  it("takes an index of any shape along any axis, also from the end", async () => {
    const x = range(2, 3);
    await expectTensor(t.gather(x, i32([-1, 0], [1, 2]), 1), [2, 1, 2], [2, 0, 5, 3]);
    await expectTensor(t.gather(x, i32([1], [])), [3], [3, 4, 5]);
    await expectTensor(t.gather(x, i32([2, -3]), 0), [2, 3], [0, 0, 0, 0, 0, 0]);
  });
});

describe("tensors without elements", () => {
  it("pass through all that moves elements", async () => {
    const empty = t.zeros([0, 3]);
    await expectTensor(t.concat([empty, t.ones([1, 3]), empty]), [1, 3], [1, 1, 1]);
    await expectTensor(t.concat([empty, empty], 1), [0, 6], []);
    await expectTensor(t.permute(empty, [1, 0]), [3, 0], []);
    await expectTensor(t.pad(empty, [1, 0], [0, 1], 2), [1, 4], [2, 2, 2, 2]);
    await expectTensor(t.gather(empty, i32([], [0])), [0, 3], []);
    await expectTensor(t.gather(t.ones([2, 3]), i32([], [2, 0]), 1), [2, 2, 0], []);
    await expectTensor(t.broadcastTo(t.ones([1, 3]), [0, 3]), [0, 3], []);
    await expectTensor(t.copy(empty), [0, 3], []);
    await expectTensor(t.flip(empty), [0, 3], []);
    await expectTensor(t.stack([empty, empty]), [2, 0, 3], []);
  });

  it("have gradients, and let those of others through", async () => {
    const empty = t.zeros([0, 2]);
    const x = range(2, 2);
    const index = i32([], [0]);
    const y = t.concat([t.slice(x, [2]), empty, x, t.gather(x, index), t.permute(empty, [0, 1]).mul(2)]);
    const [toX, toEmpty] = t.grad(y.square().sum(), [x, empty]);
    await expectTensor(toX!, [2, 2], [0, 2, 4, 6]);
    await expectTensor(toEmpty!, [0, 2], []);
    const [ofPad] = t.grad(t.pad(empty, [1, 1], [0, 0], 3).sum(), [empty]);
    await expectTensor(ofPad!, [0, 2], []);
    const [ofSlice] = t.grad(t.slice(x, [1], [1]).sum(), [x]);
    await expectTensor(ofSlice!, [2, 2], [0, 0, 0, 0]);
  });
});

describe("every type of elements", () => {
  const operations: Readonly<Record<string, (x: t.AnyTensor) => t.AnyTensor>> = {
    concat: (x) => t.concat([x, x, x], 1),
    stack: (x) => t.stack([x, x], 1),
    permute: (x) => t.permute(x, [2, 0, 1]),
    slice: (x) => t.slice(x, [0, 2, 1], [2, 0], [1, -1, 2]),
    pad: (x) => t.pad(x, [1, 0, 2], [0, 1, 1], 1),
    reflect: (x) => t.pad(x, [1, 2, 0], [0, 1, 3], { mode: "reflect" }),
    gather: (x) => t.gather(x, i32([2, -3, 0]), 1),
    takeAlong: (x) => t.takeAlong(x, i32([3, 0, -1, 9], [2, 1, 2]), 2),
    scatter: (x) => t.scatter(x, i32([3, 0, -1, 9], [2, 1, 2]), t.slice(x, [0, 1, 1], [2, 2, 3]), 2),
    tile: (x) => t.tile(x, [2, 1, 2]),
    repeat: (x) => t.repeat(x, 3, 2),
    flip: (x) => t.flip(x),
    roll: (x) => t.roll(x, [1, -1], [1, 2]),
    triu: (x) => t.triu(x),
    diagonal: (x) => t.diagonal(x, 1, 1, 2),
    index: (x) => t.index(x, i32([1, 0]), [1, 3], i32([-1, 2])),
  };
  const values = Float32Array.from({ length: 24 }, (_, index) => ((index * 5) % 7) % 2);
  for (const [name, run] of Object.entries(operations)) {
    it(name, async () => {
      const x = t.tensor(values, [2, 3, 4]);
      const expected = run(x);
      const numbers = Array.from(await expected.data());
      for (const dtype of ["f16", "i32", "u32", "bool"] as const) {
        if (dtype === "f16" && !t.currentDevice().capabilities.f16) continue;
        const got = run(t.cast(x, dtype));
        expect(got.dtype).to.equal(dtype);
        await expectTensor(got, [...expected.shape], numbers);
      }
    });
  }
});
