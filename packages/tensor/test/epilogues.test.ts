/** Epilogues: what is fused into a product, what is not, and that nothing else changes. */
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { fuseEpilogues } from "../src/program/epilogues.ts";
import { fuseProgram } from "../src/program/fuse.ts";
import { captureProgram, type Program, printProgram } from "../src/program/program.ts";
import { type AnyTensor, Tensor } from "../src/tensor.ts";
import { interpret } from "./interpret.ts";

const leaf = (index: number, ...shape: number[]): Tensor =>
  new Tensor({ shape, dtype: "f32" }, { kind: "argument", index });
const fuse = (...targets: AnyTensor[]): { plain: Program; fused: Program; ids: readonly number[] } => {
  const { program: plain, targets: ids } = captureProgram(targets);
  return { plain, fused: fuseEpilogues(fuseProgram(plain)), ids };
};
const kernelsOf = ({ calls }: Program): string[] => calls.map(({ kernel }) => kernel.name);

/** A residual block's end: a convolution, a shift of each image, the block's input, and a factor. */
function block() {
  const [x, weight, bias, shift] = [
    leaf(0, 2, 4, 6, 8),
    leaf(1, 3, 3, 8, 8),
    leaf(2, 8),
    leaf(3, 2, 1, 1, 8),
  ];
  const convolved = t.conv2d(x, weight, { bias, padding: 1 });
  return { x, convolved, y: t.mul(t.add(t.add(convolved, shift), x), 0.5) };
}

describe("fuseEpilogues", () => {
  it("lets a product finish what alone reads it", () => {
    const { fused } = fuse(block().y);
    expect(kernelsOf(fused)).to.deep.equal(["conv2d"]);
    expect(printProgram(fused)).to.match(/^v7 f32 \[2, 4, 6, 8\] = conv2d\(x: v\d, weight: v\d, bias: v\d, /);
  });

  it("computes the same", () => {
    const { plain, fused, ids } = fuse(block().y);
    let seed = 1;
    const values = plain.values.slice(0, plain.leaves).map(({ shape }) =>
      Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
        seed = (seed * 16807) % 2147483647;
        return seed / 2147483647 - 0.5;
      }),
    );
    const [expected] = interpret(plain, ids, values);
    const [got] = interpret(fused, ids, values);
    expect(got!.length).to.equal(2 * 4 * 6 * 8);
    expect(Math.max(...got!.map((value, i) => Math.abs(value - expected![i]!)))).to.be.below(1e-12);
  });

  it("leaves a product that others read, or that is asked for", () => {
    const { convolved, y } = block();
    expect(kernelsOf(fuse(y, convolved).fused)).to.deep.equal(["conv2d", "elementwise"]);
    expect(kernelsOf(fuse(t.add(y, t.sum(convolved))).fused)).to.deep.equal(["conv2d", "sum", "elementwise"]);
  });

  it("leaves a product that one call reads twice", async () => {
    const product = t.matmul(leaf(0, 4, 8), leaf(1, 8, 4));
    expect(kernelsOf(fuse(t.mul(product, product)).fused)).to.deep.equal(["matmul", "elementwise"]);
    const twos = t.matmul(t.ones([2, 2]), t.ones([2, 2]));
    expect([...(await t.mul(twos, twos).data())]).to.deep.equal([4, 4, 4, 4]);
  });

  it("does not repeat a product that is broadcast", () => {
    const row = t.matmul(leaf(0, 1, 8), leaf(1, 8, 4));
    expect(kernelsOf(fuse(t.add(row, leaf(2, 5, 4))).fused)).to.deep.equal(["matmul", "elementwise"]);
  });

  it("moves a product to where it is finished: after what it is added to", () => {
    const [a, b] = [leaf(0, 4, 8), leaf(1, 8, 8)];
    const early = t.matmul(a, b);
    const late = t.matmul(t.softmax(a), b);
    const { fused } = fuse(t.add(early, late));
    expect(kernelsOf(fused)).to.deep.equal(["matmul", "softmax", "matmul"]);
    const last = fused.calls.at(-1)!;
    expect(Object.values(last.inputs)).to.include(fused.calls[0]!.outputs["y"]);
  });

  it("sees through a view", () => {
    const x = leaf(0, 2, 3, 8);
    const y = t.add(t.linear(x, leaf(1, 8, 8)), x);
    expect(kernelsOf(fuse(y).fused)).to.deep.equal(["matmul"]);
  });

  it("takes any number in, and leaves results that are no fractions to a call of their own", () => {
    const product = () => t.matmul(leaf(0, 4, 8), leaf(1, 8, 4));
    for (const number of [1e20, Infinity, Number.NaN])
      expect(kernelsOf(fuse(t.minimum(product(), number)).fused)).to.deep.equal(["matmul"]);
    expect(kernelsOf(fuse(t.greater(product(), 0)).fused)).to.deep.equal(["matmul", "elementwise"]);
  });
});

describe("a fused training step", () => {
  it("gives the loss and the gradients of the unfused one", async () => {
    const x = t.tensor(
      Float32Array.from({ length: 2 * 6 * 6 * 8 }, (_, i) => Math.sin(i)),
      [2, 6, 6, 8],
    );
    const weight = t.tensor(
      Float32Array.from({ length: 9 * 64 }, (_, i) => Math.cos(3 * i) / 9),
      [3, 3, 8, 8],
    );
    const loss = (w: Tensor): Tensor => {
      const h = t.conv2d(x, w, { padding: 1 });
      return t
        .add(t.conv2d(t.add(t.silu(h), x), w, { padding: 1 }), h)
        .square()
        .mean();
    };
    const [gradient] = t.grad(loss(weight), [weight]);
    const { program, leaves, targets } = captureProgram([gradient!]);
    const values = await Promise.all(leaves.map(async (l) => Float64Array.from(await l.data())));
    const [expected] = interpret(program, targets, values);
    const got = await gradient!.data();
    const scale = Math.max(...expected!.map(Math.abs));
    expect(Math.max(...expected!.map((value, i) => Math.abs(value - got[i]!)))).to.be.below(1e-5 * scale);
  });
});
