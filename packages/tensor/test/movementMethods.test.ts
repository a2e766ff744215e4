/** What moves elements, as methods: each gives what the function of its name gives. */
import * as t from "@ddad/tensor";
import { expectTensor, i32, range } from "./values.ts";

describe("methods that move elements", () => {
  const x = () => range(2, 3);
  const pairs: Readonly<Record<string, () => readonly [t.AnyTensor, t.AnyTensor]>> = {
    reshape: () => [x().reshape([3, -1]), t.reshape(x(), [3, 2])],
    flatten: () => [x().flatten(), t.flatten(x())],
    squeeze: () => [range(1, 2).squeeze(0), t.squeeze(range(1, 2), 0)],
    unsqueeze: () => [x().unsqueeze([0, -1]), t.unsqueeze(x(), [0, -1])],
    permute: () => [x().permute([-1, 0]), t.permute(x(), [-1, 0])],
    transpose: () => [x().transpose(0, 1), t.transpose(x())],
    broadcastTo: () => [x().broadcastTo([2, 2, 3]), t.broadcastTo(x(), [2, 2, 3])],
    split: () => [x().split([1, 2], 1)[1]!, t.split(x(), [1, 2], 1)[1]!],
    chunk: () => [x().chunk(2)[1]!, t.chunk(x(), 2)[1]!],
    tile: () => [x().tile([2, 1]), t.tile(x(), [2, 1])],
    repeat: () => [x().repeat(2, -1), t.repeat(x(), 2, -1)],
    flip: () => [x().flip(1), t.flip(x(), 1)],
    roll: () => [x().roll(1, 0), t.roll(x(), 1, 0)],
    slice: () => [x().slice([1], [2], [1]), t.slice(x(), [1], [2], [1])],
    index: () => [x().index("...", [0, 2]), t.index(x(), ":", [0, 2])],
    pad: () => [x().pad([1, 0], [0, 1], 5), t.pad(x(), [1, 0], [0, 1], 5)],
    gather: () => [x().gather(i32([2, 0]), 1), t.gather(x(), i32([2, 0]), 1)],
    takeAlong: () => [x().takeAlong(i32([2, 0], [2, 1]), 1), t.takeAlong(x(), i32([2, 0], [2, 1]), 1)],
    scatter: () => [
      x().scatter(i32([2, 0], [2, 1]), t.ones([2, 1]), 1, { reduce: "add" }),
      t.scatter(x(), i32([2, 0], [2, 1]), t.ones([2, 1]), 1, { reduce: "add" }),
    ],
    oneHot: () => [i32([2, 0]).oneHot(3), t.oneHot(i32([2, 0]), 3)],
    triu: () => [x().triu(1), t.triu(x(), 1)],
    tril: () => [x().tril(-1), t.tril(x(), -1)],
    diagonal: () => [x().diagonal(1), t.diagonal(x(), 1)],
  };
  for (const [name, make] of Object.entries(pairs)) {
    it(name, async () => {
      const [method, op] = make();
      await expectTensor(method, [...op.shape], Array.from(await op.data()));
    });
  }
});
