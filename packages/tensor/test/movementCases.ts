/** Operations that move elements, for the checks of gradients. */
import * as t from "@ddad/tensor";
import type { GradientCase } from "./gradientCases.ts";
import { i32 } from "./values.ts";

const x = (...shape: number[]) => ({ shape });
const positive = (...shape: number[]) => ({
  shape,
  fill: (_: number, uniform: () => number) => 0.3 + 2 * uniform(),
});
const one = (name: string, shape: readonly number[], run: (a: t.Tensor) => t.Tensor): GradientCase => ({
  name,
  inputs: [{ shape }],
  run: (a) => run(a!),
});
/** All of these are linear; squares give them second derivatives. */
export const movementCases: readonly GradientCase[] = [
  one("reshape and permute", [2, 3, 4], (a) => t.permute(t.reshape(a, [6, 4]), [1, 0])),
  one("broadcastTo", [3, 1], (a) => t.broadcastTo(a, [2, 3, 4])),
  one("slice and pad", [5, 6], (a) => t.pad(t.slice(a, [1, 2], [4, 5]), [1, 0], [0, 2])),
  one("slice with steps", [7, 6], (a) => t.square(t.slice(a, [1, 0], [6], [2, 3]))),
  one("slice backwards", [5, 4, 3], (a) => t.square(t.slice(a, [4, 1, -1], [0], [-3, 1, -2]))),
  one("slice to nothing, beside the rest", [4, 3], (a) => t.square(t.concat([t.slice(a, [4]), a]))),
  one("flip", [3, 4], (a) => t.square(t.flip(a, [0, -1]))),
  one("pad that cuts", [4, 5], (a) => t.square(t.pad(a, [-1, 2], [1, -2], 3))),
  one("pad, reflected", [4, 5], (a) => t.square(t.pad(a, [2, 3], [1, 7], { mode: "reflect" }))),
  one("pad with edges", [3, 4], (a) => t.square(t.pad(a, [2, 0], [1, 3], { mode: "edge" }))),
  one("pad, wrapped around", [3, 4], (a) => t.square(t.pad(a, [4, 0], [1, 3], { mode: "wrap" }))),
  {
    name: "concat of three",
    inputs: [x(2, 3), x(2, 1), x(2, 4)],
    run: (...all) => t.square(t.concat(all, 1)),
  },
  {
    name: "concat of nine, one of them empty",
    inputs: [x(2, 3), x(0, 3), ...Array.from({ length: 7 }, (_, k) => x(k % 2 ? 1 : 3, 3))],
    run: (...all) => t.square(t.concat(all)),
  },
  { name: "stack", inputs: [x(2, 3), x(2, 3)], run: (...all) => t.square(t.stack(all, 1)) },
  one("split", [5, 3], (a) => {
    const [first, second, third] = t.split(a, [2, 2, 1]);
    return t.mul(t.mul(first!, second!), third!);
  }),
  one("gather", [4, 3], (a) => t.square(t.gather(a, i32([2, 0, 2])))),
  one("gather along an inner axis, from the end and outside", [2, 4, 3], (a) =>
    t.square(t.gather(a, i32([-1, 0, 3, 9, -2, 0], [2, 3]), 1)),
  ),
  one("takeAlong", [3, 4, 2], (a) => t.square(t.takeAlong(a, i32([0, 3, 0, -1, 9, 0], [3, 2, 1]), 1))),
  ...(["set", "add", "mul", "max", "min"] as const).map(
    (reduce): GradientCase => ({
      name: `scatter, ${reduce}`,
      inputs: [positive(3, 4), positive(3, 6)],
      run: (a, b) =>
        t.square(
          t.scatter(
            a!,
            i32([0, 1, 0, 1, 1, 9, -1, 2, 2, 2, 0, 0, 3, 3, 3, 3, 3, 3], [3, 6]),
            b!,
            1,
            reduce === "set" ? {} : { reduce },
          ),
        ),
    }),
  ),
  {
    name: "matmul with a matrix for all at the left",
    inputs: [x(3, 4), x(2, 4, 5)],
    run: (a, b) => t.square(t.matmul(a!, b!)),
  },
  {
    name: "matmul with batches broadcast on both sides",
    inputs: [x(2, 1, 4, 3), x(3, 5, 4)],
    run: (a, b) => t.square(t.matmul(a!, b!, { transposeA: true, transposeB: true })),
  },
  { name: "matmul of vectors", inputs: [x(4), x(4)], run: (a, b) => t.square(t.matmul(a!, b!)) },
  {
    name: "matmul of matrices and a vector",
    inputs: [x(2, 3, 4), x(4)],
    run: (a, b) => t.square(t.matmul(a!, b!)),
  },
  {
    name: "einsum of three, a diagonal among them",
    inputs: [x(2, 3, 2), x(3, 4), x(4)],
    run: (a, b, c) => t.square(t.einsum("iji,jk,k->ki", a!, b!, c!)),
  },
  {
    name: "einsum with broadcast axes",
    inputs: [x(1, 2, 3), x(2, 1, 3, 2)],
    run: (a, b) => t.square(t.einsum("...ij,...jk->...ki", a!, b!)),
  },
  one("index", [3, 4, 2], (a) => t.square(t.index(a, [0, 2], i32([1, -1, 1]), null, 0))),
  one("index by several tensors", [3, 4, 2], (a) =>
    t.square(t.index(a, i32([0, 2, 0]), ":", i32([1, -1, 1]))),
  ),
  one("tile", [2, 3], (a) => t.square(t.tile(a, [2, 1, 3]))),
  one("repeat", [2, 3], (a) => t.square(t.repeat(a, 3, 0))),
  one("roll", [3, 4], (a) => t.square(t.roll(a, [1, -2], [0, 1]))),
  one("triu and tril", [2, 4, 3], (a) => t.square(t.add(t.triu(a, 1), t.tril(a, -2)))),
  one("diagonal", [3, 2, 4], (a) => t.square(t.diagonal(a, 1, -1, 0))),
];
