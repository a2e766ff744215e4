/** Pooling, resizing and sampling as operations: sizes, values as PyTorch has them, and what is refused. */
import * as t from "@ddad/tensor";
import { expect } from "chai";

const image = (height: number, width: number): t.Tensor =>
  t.tensor(
    Float32Array.from({ length: height * width }, (_, k) => k),
    [1, height, width, 1],
  );

async function expectValues(
  got: t.Tensor,
  shape: readonly number[],
  values: readonly number[],
): Promise<void> {
  expect(got.shape).to.deep.equal(shape);
  const data = await got.data();
  values.forEach((value, k) => {
    if (Number.isFinite(value)) expect(data[k], `element ${k}`).to.be.closeTo(value, 2e-5);
    else expect(data[k], `element ${k}`).to.be.deep.equal(value);
  });
}

describe("pooling", () => {
  it("has windows of any sides, padded on each side", async () => {
    const options = { kernelSize: [1, 2], stride: [2, 1], padding: [0, 1, 0, 0] } as const;
    await expectValues(t.maxPool(image(3, 3), options), [1, 2, 3, 1], [0, 1, 2, 6, 7, 8]);
    await expectValues(t.averagePool(image(3, 3), options), [1, 2, 3, 1], [0, 0.5, 1.5, 3, 6.5, 7.5]);
    await expectValues(
      t.averagePool(image(3, 3), { ...options, countIncludePad: false }),
      [1, 2, 3, 1],
      [0, 0.5, 1.5, 6, 6.5, 7.5],
    );
  });

  it("rounds sizes up, where what lies behind the padding never counts", async () => {
    const options = { kernelSize: 2, ceilMode: true };
    await expectValues(t.averagePool(image(3, 3), options), [1, 2, 2, 1], [2, 3.5, 6.5, 8]);
    await expectValues(t.maxPool(image(3, 3), options), [1, 2, 2, 1], [4, 5, 7, 8]);
  });

  it("gives NaN where a window has one, and −∞ where that is all", async () => {
    const x = t.tensor([Number.NaN, 1, -Infinity, -Infinity], [1, 1, 4, 1]);
    const y = t.maxPool(x, { kernelSize: [1, 2] });
    const [gradient] = t.grad(t.sum(y), [x]);
    await expectValues(y, [1, 1, 2, 1], [Number.NaN, -Infinity]);
    await expectValues(gradient!, [1, 1, 4, 1], [1, 0, 1, 0]);
  });

  it("to a size", async () => {
    await expectValues(t.adaptiveAveragePool(image(2, 5), [1, 3]), [1, 1, 3, 1], [3, 4.5, 6]);
    await expectValues(t.adaptiveMaxPool(image(2, 5), [1, 3]), [1, 1, 3, 1], [6, 8, 9]);
    await expectValues(t.adaptiveAveragePool(image(4, 4), 2), [1, 2, 2, 1], [2.5, 4.5, 10.5, 12.5]);
    await expectValues(t.globalAveragePool(image(2, 3)), [1, 1, 1, 1], [2.5]);
    await expectValues(t.globalMaxPool(image(2, 3)), [1, 1, 1, 1], [5]);
  });

  it("takes empty batches", async () => {
    const none = t.zeros([0, 4, 4, 3]);
    const options = { kernelSize: 2 };
    for (const pool of [
      (x: t.Tensor) => t.maxPool(x, options),
      (x: t.Tensor) => t.averagePool(x, options),
      (x: t.Tensor) => t.adaptiveAveragePool(x, [2, 2]),
      (x: t.Tensor) => t.upsample(x, { size: 2, mode: "bicubic" }),
      (x: t.Tensor) => t.resizeBilinear(x, [2, 2]),
    ]) {
      const y = pool(none);
      expect(y.shape).to.deep.equal([0, 2, 2, 3]);
      const [gradient] = t.grad(t.sum(y), [none]);
      expect(gradient!.shape).to.deep.equal([0, 4, 4, 3]);
      expect(await gradient!.data()).to.have.length(0);
    }
  });

  it("refuses padding as wide as a window, and images that are too small", () => {
    expect(() => t.maxPool(image(4, 4), { kernelSize: 2, padding: 2 })).to.throw(
      t.ShapeError,
      /maxPool: padding \[2, 2, 2, 2\] must be whole numbers of at least 0, smaller than the 2×2 pixels/,
    );
    expect(() => t.averagePool(image(2, 4), { kernelSize: 3 })).to.throw(
      t.ShapeError,
      /averagePool: a window of 3×3 is larger than x \[1, 2, 4, 1\]/,
    );
    expect(() => t.globalMaxPool(t.zeros([2, 2]))).to.throw(
      t.ShapeError,
      /globalMaxPool: x must have 4 axes/,
    );
  });
});

describe("upsample", () => {
  it("repeats the nearest pixel, by size or factor", async () => {
    await expectValues(t.upsample(image(1, 3), { size: [1, 5] }), [1, 1, 5, 1], [0, 0, 1, 1, 2]);
    await expectValues(
      t.upsample(image(1, 3), { scaleFactor: [1, 2.5] }),
      [1, 1, 7, 1],
      [0, 0, 0, 1, 1, 2, 2],
    );
    await expectValues(
      t.upsample(image(1, 2), { scaleFactor: [2, 2] }),
      [1, 2, 4, 1],
      [0, 0, 1, 1, 0, 0, 1, 1],
    );
  });

  it("keeps the positions of a factor that the sizes do not have", async () => {
    // PyTorch: interpolate(arange(3), scale_factor=2.5, mode="linear") reads at (o + ½) / 2.5 − ½.
    const positions = [0, 0.1, 0.5, 0.9, 1.3, 1.7, 2];
    await expectValues(
      t.upsample(image(1, 3), { scaleFactor: [1, 2.5], mode: "bilinear" }),
      [1, 1, 7, 1],
      positions,
    );
  });

  it("is bicubic with a = −0.75", async () => {
    // At ¼ and ¾ between pixels the weights are −27/256, 225/256, 67/256, −9/256 and their mirror image.
    const expected = [-27, 49, 171, 332, 436, 597, 719, 795].map((parts) => parts / 256);
    await expectValues(t.upsample(image(1, 4), { size: [1, 8], mode: "bicubic" }), [1, 1, 8, 1], expected);
    await expectValues(
      t.upsample(image(1, 3), { size: [1, 5], mode: "bicubic", alignCorners: true }),
      [1, 1, 5, 1],
      [0, 0.40625, 1, 1.59375, 2],
    );
  });

  it("refuses a size and a factor, none of both, and corners of nearest pixels", () => {
    const x = image(2, 2);
    expect(() => t.upsample(x, {})).to.throw(t.ShapeError, /upsample: needs either size or scaleFactor/);
    expect(() => t.upsample(x, { size: 2, scaleFactor: 2 })).to.throw(t.ShapeError, /needs either size/);
    expect(() => t.upsample(x, { scaleFactor: 0 })).to.throw(
      t.ShapeError,
      /upsample: scaleFactor must be above 0 but is 0 and 0/,
    );
    expect(() => t.upsample(x, { size: 3, alignCorners: true })).to.throw(
      t.ShapeError,
      /upsample: alignCorners has no meaning for mode nearest/,
    );
  });
});

describe("gridSample", () => {
  const at = (...positions: (readonly [number, number])[]): t.Tensor =>
    t.tensor(positions.flat(), [1, 1, positions.length, 2]);

  it("reads across and down from −1 to 1", async () => {
    const corners = at([-1, -1], [1, -1], [-1, 1], [0, 0]);
    const options = { alignCorners: true } as const;
    await expectValues(t.gridSample(image(3, 4), corners, options), [1, 1, 4, 1], [0, 3, 8, 5.5]);
    await expectValues(
      t.gridSample(image(3, 4), corners, { ...options, mode: "nearest" }),
      [1, 1, 4, 1],
      [0, 3, 8, 6],
    );
    // Without aligned corners a corner of the image has three quarters of its weight outside.
    await expectValues(t.gridSample(image(3, 4), corners), [1, 1, 4, 1], [0, 0.75, 2, 5.5]);
  });

  it("has zeros, the edge or a reflection outside", async () => {
    const outside = at([-1.5, 0], [2, 0]);
    const value = (paddingMode: "zeros" | "border" | "reflection") =>
      t.gridSample(image(1, 4), outside, { paddingMode });
    await expectValues(value("zeros"), [1, 1, 2, 1], [0, 0]);
    await expectValues(value("border"), [1, 1, 2, 1], [0, 3]);
    await expectValues(value("reflection"), [1, 1, 2, 1], [0.5, 1.5]);
  });

  it("samples each image of a batch, also in f16", async () => {
    const x = t.tensor([1, 2, 3, 4], [2, 1, 2, 1], { dtype: "f16" });
    const grid = t.tensor([0, 0, -0.5, 0, 0.5, 0, 0, 0], [2, 1, 2, 2]);
    const y = t.gridSample(x, grid);
    expect(y.dtype).to.equal("f16");
    await expectValues(y, [2, 1, 2, 1], [1.5, 1, 4, 3.5]);
  });

  it("refuses grids of another batch or without two coordinates", () => {
    expect(() => t.gridSample(image(2, 2), t.zeros([1, 2, 2, 3]))).to.throw(
      t.ShapeError,
      /gridSample: grid must be \[1, OH, OW, 2\] for x \[1, 2, 2, 1\] but is \[1, 2, 2, 3\]/,
    );
    expect(() => t.gridSample(t.zeros([1, 0, 2, 1]), t.zeros([1, 2, 2, 2]))).to.throw(
      t.ShapeError,
      /gridSample: x \[1, 0, 2, 1\] has no pixels to sample/,
    );
  });
});
