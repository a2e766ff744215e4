/** Activations and pixel shuffling against their definitions, element by element. */
import * as t from "@ddad/tensor";
import { expect } from "chai";

const values = [-Infinity, -3, -0.5, -0.25, -0, 0, 0.25, 0.5, 0.75, 3, Infinity, Number.NaN];

async function check(op: (x: t.Tensor) => t.Tensor, definition: (x: number) => number): Promise<void> {
  const found = await op(t.tensor(values)).data();
  values.forEach((x, index) => {
    const right = definition(x);
    if (Number.isFinite(right)) expect(found[index], `of ${x}`).to.be.closeTo(right, 1e-6);
    else expect(found[index], `of ${x}`).to.deep.equal(right);
  });
}

describe("activations made of elementwise operations", () => {
  it("softsign", () => check(t.softsign, (x) => x / (1 + Math.abs(x))));

  it("softshrink", () =>
    check(
      (x) => t.softshrink(x),
      (x) => (Math.abs(x) <= 0.5 ? 0 : x - Math.sign(x) * 0.5),
    ));

  it("hardshrink", () =>
    check(
      (x) => t.hardshrink(x, 0.3),
      (x) => (Math.abs(x) <= 0.3 ? 0 : x),
    ));

  it("threshold", () =>
    check(
      (x) => t.threshold(x, 0.25, 7),
      (x) => (x <= 0.25 ? 7 : x),
    ));

  it("prelu with one weight, and with one a channel", async () => {
    await check(
      (x) => t.prelu(x, t.tensor([0.25])),
      (x) => (x > 0 ? x : 0.25 * x),
    );
    const y = t.prelu(t.tensor([-1, -1, 2, -4], [2, 2]), t.tensor([0.5, 2]));
    expect([...(await y.data())]).to.deep.equal([-0.5, -2, 2, -8]);
  });
});

describe("pixelShuffle and pixelUnshuffle", () => {
  /** PyTorch's definition, on channels last. */
  function shuffled(x: number[], [n, h, w, channels]: number[], r: number): number[] {
    const c = channels! / r ** 2;
    const y: number[] = [];
    for (let b = 0; b < n!; b++)
      for (let i = 0; i < h! * r; i++)
        for (let j = 0; j < w! * r; j++)
          for (let k = 0; k < c; k++) {
            const channel = k * r * r + (i % r) * r + (j % r);
            y.push(x[((b * h! + Math.floor(i / r)) * w! + Math.floor(j / r)) * channels! + channel]!);
          }
    return y;
  }

  for (const [shape, factor] of [
    [[2, 2, 3, 8], 2],
    [[1, 1, 2, 9], 3],
    [[1, 2, 2, 5], 1],
    [[0, 2, 2, 4], 2],
  ] as const) {
    it(`of [${shape}] by ${factor}, and back`, async () => {
      const size = shape.reduce<number>((a, b) => a * b, 1);
      const x = Array.from({ length: size }, (_, index) => index);
      const y = t.pixelShuffle(t.tensor(x, shape), factor);
      expect(y.shape).to.deep.equal([shape[0], shape[1] * factor, shape[2] * factor, shape[3] / factor ** 2]);
      expect([...(await y.data())]).to.deep.equal(shuffled(x, [...shape], factor));
      const back = t.pixelUnshuffle(y, factor);
      expect(back.shape).to.deep.equal([...shape]);
      expect([...(await back.data())]).to.deep.equal(x);
    });
  }

  it("refuses what does not divide", () => {
    const x = t.zeros([1, 3, 4, 6]);
    expect(() => t.pixelShuffle(x, 2)).to.throw(t.ShapeError, "has 6 channels, which 2² = 4 does not divide");
    expect(() => t.pixelUnshuffle(x, 2)).to.throw(t.ShapeError, "is 3 × 4 pixels, which 2 does not divide");
    expect(() => t.pixelShuffle(t.zeros([4, 4]), 2)).to.throw(t.ShapeError, "must be images [N, H, W, C]");
    expect(() => t.pixelShuffle(x, 1.5)).to.throw(t.ShapeError, "factor must be a whole number");
  });
});
