/** Layer, RMS and instance norm against plain loops; their types, empty tensors and refusals. */
import { uniformGenerator } from "@ddad/kernels-wgsl";
import * as t from "@ddad/tensor";
import * as internal from "@ddad/tensor/internal";
import { expect } from "chai";
import { testDevice } from "./device.hooks.ts";

const uniform = uniformGenerator(3);
const values = (size: number): number[] => Array.from({ length: size }, () => 4 * uniform() - 1);

/** (v − mean) / √(variance + ε) of a list. */
function normalised(list: readonly number[], epsilon: number): number[] {
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  const variance = list.reduce((a, b) => a + (b - mean) ** 2, 0) / list.length;
  return list.map((value) => (value - mean) / Math.sqrt(variance + epsilon));
}

async function expectClose(got: t.Tensor, expected: readonly number[], tolerance = 1e-5): Promise<void> {
  const data = [...(await got.data())];
  expect(data.length).to.equal(expected.length);
  data.forEach((value, index) => {
    expect(value, `element ${index}`).to.be.closeTo(expected[index]!, tolerance);
  });
}

describe("layerNorm", () => {
  const x = values(24);
  const weight = values(4);
  const bias = values(4);

  it("is that of each row, scaled and shifted", async () => {
    const rows = Array.from({ length: 6 }, (_, row) => normalised(x.slice(4 * row, 4 * row + 4), 1e-5));
    const expected = rows.flatMap((row) => row.map((value, k) => value * weight[k]! + bias[k]!));
    const given = t.tensor(x, [2, 3, 4]);
    await expectClose(t.layerNorm(given, { weight: t.tensor(weight), bias: t.tensor(bias) }), expected);
    await expectClose(t.layerNorm(given), rows.flat());
  });

  it("is that of the last axes together, or of one in the middle", async () => {
    const given = t.tensor(x, [2, 3, 4]);
    const together = [0, 1].flatMap((image) => normalised(x.slice(12 * image, 12 * image + 12), 0.1));
    await expectClose(t.layerNorm(given, { axes: [-2, -1], epsilon: 0.1 }), together);
    const middle = x.map((_, index) => {
      const [image, row, column] = [Math.floor(index / 12), Math.floor(index / 4) % 3, index % 4];
      return normalised(
        [0, 1, 2].map((k) => x[12 * image + 4 * k + column]!),
        0.1,
      )[row]!;
    });
    await expectClose(t.layerNorm(given, { axes: 1, epsilon: 0.1 }), middle);
  });

  it("of f16 is computed in f32", async function () {
    if (!testDevice().capabilities.f16) this.skip();
    // Squares of 400 are beyond the largest f16.
    const list = [400, -400, 200, 0];
    const half = t.cast(t.tensor(list), "f16");
    const y = t.layerNorm(half);
    expect(y.dtype).to.equal("f16");
    await expectClose(t.cast(y, "f32"), normalised(list, 1e-5), 2e-3);
    const rms = Math.sqrt(list.reduce((a, b) => a + b * b, 0) / 4);
    const normal = t.rmsNorm(half, { weight: t.cast(t.tensor([1, 2, 1, 1]), "f16") });
    expect(normal.dtype).to.equal("f16");
    await expectClose(t.cast(normal, "f32"), [400 / rms, -800 / rms, 200 / rms, 0], 2e-3);
    const [g] = t.grad(t.sum(t.mul(t.cast(normal, "f32"), t.tensor([1, 2, 3, 4]))), [half]);
    const [expected] = t.grad(
      t.sum(
        t.mul(t.rmsNorm(t.cast(half, "f32"), { weight: t.tensor([1, 2, 1, 1]) }), t.tensor([1, 2, 3, 4])),
      ),
      [half],
    );
    await expectClose(t.cast(g!, "f32"), [...(await t.cast(expected!, "f32").data())], 1e-4);
  });

  it("says what does not fit", () => {
    const given = t.zeros([2, 3, 4]);
    expect(() => t.layerNorm(given, { weight: t.ones([3]) })).to.throw(
      t.ShapeError,
      /layerNorm: weight must be \[4\], the axes of x \[2, 3, 4\] that are normalised, but is \[3\]/,
    );
    expect(() => t.layerNorm(given, { axes: 3 })).to.throw(/layerNorm: axis 3 is outside of \[2, 3, 4\]/);
    expect(() => t.rmsNorm(given, { weight: t.ones([3]) })).to.throw(/rmsNorm: weight must be \[4\]/);
    expect(() => t.instanceNorm(t.zeros([2, 3]))).to.throw(
      /instanceNorm: x must be \[N, …, C\] with at least three/,
    );
  });
});

it("rmsNorm divides by the root of the mean square", async () => {
  await expectClose(t.rmsNorm(t.tensor([3, 4, 0, 1], [2, 2]), { epsilon: 0 }), [
    3 / Math.sqrt(12.5),
    4 / Math.sqrt(12.5),
    0,
    Math.SQRT2,
  ]);
});

it("instanceNorm is that of each channel of each image", async () => {
  const x = values(24);
  const expected = x.map((_, index) => {
    const [image, pixel, channel] = [Math.floor(index / 12), Math.floor(index / 4) % 3, index % 4];
    return normalised(
      [0, 1, 2].map((k) => x[12 * image + 4 * k + channel]!),
      1e-5,
    )[pixel]!;
  });
  await expectClose(t.instanceNorm(t.tensor(x, [2, 3, 1, 4])), expected);
});

describe("normalisations of nothing", () => {
  const norms: Record<string, (x: t.Tensor) => t.Tensor> = {
    layerNorm: (x) => t.layerNorm(x),
    "layerNorm over a middle axis": (x) => t.layerNorm(x, { axes: 1 }),
    rmsNorm: (x) => t.rmsNorm(x),
    instanceNorm: (x) => t.instanceNorm(x),
    groupNorm: (x) =>
      t.groupNorm(x, { groups: 1, weight: t.ones(x.shape.slice(-1)), bias: t.zeros(x.shape.slice(-1)) }),
    batchNorm: (x) =>
      t.batchNorm(x, { weight: t.ones(x.shape.slice(-1)), bias: t.zeros(x.shape.slice(-1)) }).y,
  };
  for (const [name, norm] of Object.entries(norms)) {
    it(name, async () => {
      for (const shape of [
        [0, 3, 4],
        [2, 0, 4],
        [2, 3, 0],
      ]) {
        const x = t.zeros(shape);
        const y = norm(x);
        const [g] = t.grad(t.sum(y), [x]);
        expect(y.shape).to.deep.equal(shape);
        expect(g!.shape).to.deep.equal(shape);
        expect((await y.data()).length + (await g!.data()).length).to.equal(0);
      }
    });
  }
  it("cosineDistance, sumOfSquares, addNoise", async () => {
    const none = t.zeros([2, 0]);
    await expectClose(t.cosineDistance(none, none), [1, 1]);
    expect((await t.cosineDistance(t.zeros([0, 3]), t.zeros([0, 3])).data()).length).to.equal(0);
    const total = internal.sumOfSquares(none, t.tensor([2, 3]));
    expect(t.grad(total, [none])[0]!.shape).to.deep.equal([2, 0]);
    await expectClose(total, [13]);
    const [x, alphaBar]: [t.Tensor, t.Tensor] = [t.zeros([0, 3]), t.zeros([0])];
    expect((await t.addNoise(x, x, alphaBar).data()).length).to.equal(0);
    const level: t.Tensor = t.tensor([0.5, 0.5]);
    await expectClose(t.grad(t.sum(t.addNoise(none, none, level)), [level])[0]!, [0, 0]);
  });
  it("give zeros to the weight", async () => {
    const [weight, bias] = [t.ones([4]), t.zeros([4])];
    const y = t.groupNorm(t.zeros([0, 3, 4]), { groups: 2, weight, bias });
    const [w, b] = t.grad(t.sum(y), [weight, bias]);
    await expectClose(w!, [0, 0, 0, 0]);
    await expectClose(b!, [0, 0, 0, 0]);
  });
});
