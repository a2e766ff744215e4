/** Convolutions as operations: what they refuse, empty images, transposed ones and second derivatives by hand. */
import * as t from "@ddad/tensor";
import { expect } from "chai";

const close = (got: ArrayLike<number>, expected: readonly number[]): void => {
  expect(got.length).to.equal(expected.length);
  expected.forEach((value, k) => {
    expect(got[k]).to.be.closeTo(value, 1e-5);
  });
};

describe("convolutions", () => {
  it("a gradient penalty: the derivative of a derivative", async () => {
    const x = t.tensor([1, 2], [1, 1, 1, 2]);
    const w = t.tensor([0.5, -0.3], [1, 1, 2, 1]);
    const s = t.sum(t.square(t.conv2d(x, w)));
    const p = t.sum(t.square(t.grad(s, [x])[0]!));
    close(await t.grad(t.add(s, p), [w])[0]!.data(), [-0.432, -0.968]);
  });

  it("conv2d of an empty batch, and of an image without rows", async () => {
    const w = t.ones([3, 3, 2, 4]);
    const none = t.conv2d(t.zeros([0, 5, 5, 2]), w, { padding: 1 });
    expect(none.shape).to.deep.equal([0, 5, 5, 4]);
    expect(await none.data()).to.have.length(0);
    const bias = t.tensor([1, 2, 3, 4]);
    const empty = t.conv2d(t.zeros([1, 0, 1, 2]), w, { padding: [2, 1], bias });
    expect(empty.shape).to.deep.equal([1, 2, 1, 4]);
    close(await empty.data(), [1, 2, 3, 4, 1, 2, 3, 4]);
  });

  it("the weight's gradient of an empty batch is zero", async () => {
    for (const groups of [1, 2, 4]) {
      const x = t.zeros([0, 5, 5, 4]);
      const w = t.ones([3, 3, 4 / groups, 4]);
      const bias = t.ones([4]);
      const gradients = t.grad(t.sum(t.conv2d(x, w, { padding: 1, groups, bias })), [x, w, bias]);
      expect(gradients[0]!.shape).to.deep.equal([0, 5, 5, 4]);
      for (const gradient of gradients)
        close(
          await gradient.data(),
          Array.from({ length: gradient.size }, () => 0),
        );
    }
  });

  it("conv2d without input channels is its bias", async () => {
    const bias = t.tensor([1, 2]);
    const y = t.conv2d(t.zeros([1, 2, 1, 0]), t.zeros([1, 1, 0, 2]), { bias });
    close(await y.data(), [1, 2, 1, 2]);
  });

  it("each group is a convolution of its own", async () => {
    const values = (count: number) => Array.from({ length: count }, (_, k) => Math.sin(3 * k + 1));
    const x = t.tensor(values(2 * 5 * 4 * 6), [2, 5, 4, 6]);
    const w = t.tensor(values(3 * 3 * 2 * 9), [3, 3, 2, 9]);
    const options = { padding: 1, stride: 2 } as const;
    const parts = [0, 1, 2].map((k) =>
      t.conv2d(
        t.slice(x, [0, 0, 0, 2 * k], [2, 5, 4, 2 * k + 2]),
        t.slice(w, [0, 0, 0, 3 * k], [3, 3, 2, 3 * k + 3]),
        options,
      ),
    );
    close(await t.conv2d(x, w, { ...options, groups: 3 }).data(), [...(await t.concat(parts, 3).data())]);
  });

  it("an epilogue of a grouped convolution", async () => {
    const values = (count: number) => Array.from({ length: count }, (_, k) => Math.cos(5 * k));
    for (const [groups, channels] of [
      [2, 12],
      [2, 8],
      [4, 4],
      [4, 12],
    ] as const) {
      const x = t.tensor(values(25 * 4), [1, 5, 5, 4]);
      const w = t.tensor(values((9 * 4 * channels) / groups), [3, 3, 4 / groups, channels]);
      const [bias, residual] = [
        t.tensor(values(channels)),
        t.tensor(values(25 * channels), [1, 5, 5, channels]),
      ];
      const options = { padding: 1, groups, bias };
      const apart = t.conv2d(x, w, options);
      await t.evaluate(apart);
      const fused = t.add(t.mul(t.conv2d(x, w, options), 2), residual);
      close(await fused.data(), [...(await t.add(t.mul(apart, 2), residual).data())]);
    }
  });

  it("f16: images and their gradients stay f16, gradients of weights are f32", async () => {
    for (const groups of [1, 2, 4]) {
      const x = t.cast(t.ones([1, 3, 3, 4]), "f16");
      const w = t.cast(t.ones([3, 3, 4 / groups, 4]), "f16");
      const y = t.conv2d(x, w, { padding: 1, groups });
      const [xGradient, wGradient] = t.grad(t.sum(t.cast(y, "f32")), [x, w]);
      expect([y.dtype, xGradient!.dtype, wGradient!.dtype]).to.deep.equal(["f16", "f16", "f32"]);
      await t.evaluate(y, xGradient!, wGradient!);
      const [corner, centre] = [(4 * 4) / groups, (9 * 4) / groups];
      const values = await y.data();
      expect([values[0], values[4 * 4]]).to.deep.equal([corner, centre]);
      const gradient = await xGradient!.data();
      expect([gradient[0], gradient[4 * 4]]).to.deep.equal([corner, centre]);
      expect((await wGradient!.data())[0]).to.equal(4);
      const wide = t.convTranspose2d(x, w, { groups, bias: t.ones([4]) });
      expect(wide.dtype).to.equal("f16");
      expect((await wide.data())[0]).to.equal(4 / groups + 1);
    }
  });

  it("convTranspose2d spreads pixels, and adds where they meet", async () => {
    const x = t.tensor([1, 2, 3, 4], [1, 2, 2, 1]);
    const w = t.ones([2, 2, 1, 1]);
    const y = t.convTranspose2d(x, w);
    expect(y.shape).to.deep.equal([1, 3, 3, 1]);
    close(await y.data(), [1, 3, 2, 4, 10, 6, 3, 7, 4]);
    const wide = t.convTranspose2d(x, w, { stride: [1, 2], outputPadding: [0, 1], bias: t.tensor([10]) });
    expect(wide.shape).to.deep.equal([1, 3, 5, 1]);
    close(await wide.data(), [11, 11, 12, 12, 10, 14, 14, 16, 16, 10, 13, 13, 14, 14, 10]);
  });

  it("convTranspose2d with more output than a stride still adds what the padding cut", async () => {
    const x = t.tensor([1, 2], [1, 2, 1, 1]);
    const w = t.tensor([1, 10], [2, 1, 1, 1]);
    const options = { dilation: [3, 1], padding: [2, 0] } as const;
    // All of it: 1, 2, 0, 10, 20.
    close(await t.convTranspose2d(x, w, options).data(), [0]);
    close(await t.convTranspose2d(x, w, { ...options, outputPadding: [2, 0] }).data(), [0, 10, 20]);
  });

  it("refuse what does not fit", () => {
    const x = t.zeros([1, 4, 4, 6]);
    expect(() => t.conv2d(x, t.zeros([3, 3, 6, 4]), { groups: 2 })).to.throw(
      t.ShapeError,
      /conv2d: x \[1, 4, 4, 6\] has 3 channels in each of 2 groups but weight \[3, 3, 6, 4\] expects 6/,
    );
    expect(() => t.conv2d(x, t.zeros([3, 3, 6, 4]), { groups: 4 })).to.throw(
      t.ShapeError,
      /conv2d: 4 groups must divide the 6 channels/,
    );
    expect(() => t.conv2d(x, t.zeros([3, 3, 6, 4]), { dilation: 2 })).to.throw(
      t.ShapeError,
      /conv2d: a kernel of 5×5 with its gaps is larger than the padded image of 4×4; pad more/,
    );
    expect(() => t.conv2d(x, t.zeros([3, 3, 6, 4]), { stride: [1, 0] })).to.throw(
      t.ShapeError,
      /conv2d: stride must be a whole number of at least 1, or two of them, but is \[1, 0\]/,
    );
    expect(() => t.convTranspose2d(x, t.zeros([3, 3, 6, 4]))).to.throw(
      t.ShapeError,
      /convTranspose2d: x \[1, 4, 4, 6\] has 6 channels but weight \[3, 3, 6, 4\] expects 4/,
    );
    expect(() => t.convTranspose2d(x, t.zeros([3, 3, 4, 6]), { outputPadding: 1 })).to.throw(
      t.ShapeError,
      /convTranspose2d: outputPadding must be whole numbers of at least 0, smaller than stride or dilation, but is 1/,
    );
    expect(() => t.conv1d(x, t.zeros([3, 6, 4]))).to.throw(t.ShapeError, /conv1d: x must have 3 axes/);
  });
});
