/** Convolution layers against naive sums over PyTorch's layouts, taken from their state dicts. */
import { type Tensor, tensor } from "@ddad/tensor";
import { expect } from "chai";
import { HostRandom } from "../src/hostRandom.ts";
import { Conv1d } from "../src/layers/conv1d.ts";
import { Conv2d, type Conv2dLayerOptions } from "../src/layers/conv2d.ts";
import { ConvTranspose2d, type ConvTranspose2dLayerOptions } from "../src/layers/convTranspose2d.ts";
import type { Module } from "../src/module.ts";
import { channelsFirst, formula, largestDifference } from "./golden.ts";

type Pair = readonly [number, number];
const both = (given: number | readonly number[] | undefined, otherwise: number): Pair =>
  given === undefined
    ? [otherwise, otherwise]
    : typeof given === "number"
      ? [given, given]
      : (given as unknown as Pair);

async function entryOf(layer: Module, name: string): Promise<{ shape: number[]; data: number[] }> {
  const { shape, data } = (await layer.stateDict()).get(name)!;
  return { shape: [...shape], data: Array.from(data as Float32Array) };
}

interface Geometry {
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

const geometryOf = (
  options: Pick<Conv2dLayerOptions, "stride" | "padding" | "dilation" | "groups">,
): Geometry => ({
  stride: both(options.stride, 1),
  padding: both(options.padding, 0),
  dilation: both(options.dilation, 1),
  groups: options.groups ?? 1,
});

/** Calls `visit` for each pixel of the smaller image that a pixel of the larger one is joined with by a tap. */
function taps(
  small: Pair,
  large: Pair,
  kernel: Pair,
  { stride, padding, dilation }: Geometry,
  visit: (small: number, large: number, tap: number) => void,
): void {
  for (let h = 0; h < small[0]; h++) {
    for (let w = 0; w < small[1]; w++) {
      for (let i = 0; i < kernel[0]; i++) {
        for (let j = 0; j < kernel[1]; j++) {
          const y = h * stride[0] - padding[0] + i * dilation[0];
          const x = w * stride[1] - padding[1] + j * dilation[1];
          if (y < 0 || x < 0 || y >= large[0] || x >= large[1]) continue;
          visit(h * small[1] + w, y * large[1] + x, i * kernel[1] + j);
        }
      }
    }
  }
}

/** Checks a layer's output for one image [1, H, W, inputs]. */
async function check(layer: Conv2d | ConvTranspose2d, y: Tensor, x: Float32Array, size: Pair): Promise<void> {
  const transposed = layer instanceof ConvTranspose2d;
  const weight = await entryOf(layer, "weight");
  const bias = layer.bias ? (await entryOf(layer, "bias")).data : undefined;
  const [a, b, ...kernel] = weight.shape as [number, number, number, number];
  const geometry = geometryOf(layer as Pick<Conv2d, "stride" | "padding" | "dilation" | "groups">);
  const { groups } = geometry;
  const [, outputs] = transposed ? [a, b * groups] : [b * groups, a];
  const inputs = transposed ? a : b * groups;
  const [, oh, ow] = y.shape as [number, number, number];
  const [area, pixels] = [size[0] * size[1], oh * ow];
  const image = channelsFirst(x, [1, ...size, inputs]);
  const expected = Float64Array.from(
    { length: outputs * pixels },
    (_, k) => bias?.[Math.floor(k / pixels)] ?? 0,
  );
  const [small, large]: [Pair, Pair] = transposed ? [size, [oh, ow]] : [[oh, ow], size];
  taps(small, large, kernel as unknown as Pair, geometry, (s, l, tap) => {
    const [from, to] = transposed ? [s, l] : [l, s];
    for (let o = 0; o < outputs; o++) {
      const group = Math.floor(o / (outputs / groups));
      for (let k = 0; k < inputs / groups; k++) {
        const i = group * (inputs / groups) + k;
        const at = transposed ? i * b + (o % b) : o * b + k;
        expected[o * pixels + to]! +=
          image[i * area + from]! * weight.data[at * kernel[0]! * kernel[1]! + tap]!;
      }
    }
  });
  const got = channelsFirst(await y.data(), y.shape);
  expect(largestDifference(got, expected)).to.be.below(1e-5);
}

describe("convolution layers", () => {
  const size: Pair = [7, 6];
  const random = () => new HostRandom(1);

  for (const options of [
    {},
    { stride: [2, 1], padding: [1, 2], bias: false },
    { dilation: 2, padding: 2, groups: 2 },
    { groups: 4, stride: 2, dilation: [1, 2] },
  ] satisfies Conv2dLayerOptions[]) {
    it(`Conv2d ${JSON.stringify(options)}`, async () => {
      using layer = new Conv2d(4, 8, [3, 2], { random: random(), ...options });
      const x = formula(1, 4 * size[0] * size[1]);
      const y = layer.forward(tensor(x, [1, ...size, 4]));
      await check(layer, y, x, size);
      const groups = "groups" in options ? options.groups : 1;
      expect((await entryOf(layer, "weight")).shape).to.deep.equal([8, 4 / groups, 3, 2]);
    });
  }

  for (const options of [
    {},
    { stride: 2, padding: 1, outputPadding: 1 },
    { stride: [2, 3], groups: 2, dilation: [2, 1], bias: false },
  ] satisfies ConvTranspose2dLayerOptions[]) {
    it(`ConvTranspose2d ${JSON.stringify(options)}`, async () => {
      using layer = new ConvTranspose2d(4, 6, 3, { random: random(), ...options });
      const x = formula(2, 4 * size[0] * size[1]);
      const y = layer.forward(tensor(x, [1, ...size, 4]));
      const { stride, padding, dilation } = geometryOf(options);
      const extra = "outputPadding" in options ? options.outputPadding : 0;
      const extents = size.map(
        (extent, k) => (extent - 1) * stride[k]! - 2 * padding[k]! + 2 * dilation[k]! + 1 + extra,
      );
      expect(y.shape).to.deep.equal([1, ...extents, 6]);
      await check(layer, y, x, size);
      const groups = "groups" in options ? options.groups : 1;
      expect((await entryOf(layer, "weight")).shape).to.deep.equal([4, 6 / groups, 3, 3]);
      const bound = 1 / Math.sqrt((9 * 6) / groups);
      const { data } = await entryOf(layer, "weight");
      expect(Math.max(...data.map(Math.abs))).to.be.within(0.9 * bound, bound);
    });
  }

  it("Conv1d is PyTorch's [outputs, inputs / groups, K]", async () => {
    using layer = new Conv1d(4, 2, 3, {
      stride: 2,
      padding: [2, 0],
      dilation: 2,
      groups: 2,
      random: random(),
    });
    const [x, length] = [formula(3, 4 * 9), 9];
    const y = layer.forward(tensor(x, [1, length, 4]));
    const { shape, data } = await entryOf(layer, "weight");
    const { data: bias } = await entryOf(layer, "bias");
    expect(shape).to.deep.equal([2, 2, 3]);
    const expected = Array.from({ length: 4 }, (_, t) =>
      [0, 1].map((o) => {
        let sum = bias[o]!;
        for (let i = 0; i < 2; i++) {
          for (let k = 0; k < 3; k++) {
            const at = 2 * t - 2 + 2 * k;
            if (at >= 0) sum += x[at * 4 + 2 * o + i]! * data[(o * 2 + i) * 3 + k]!;
          }
        }
        return sum;
      }),
    );
    expect(y.shape).to.deep.equal([1, 4, 2]);
    expect(largestDifference(await y.data(), expected.flat())).to.be.below(1e-5);
    expect(layer.loadStateDict(await layer.stateDict())).to.deep.equal({ missing: [], unexpected: [] });
  });

  it("refuse groups that do not divide the channels", () => {
    expect(() => new Conv2d(4, 6, 3, { groups: 4 })).to.throw(
      RangeError,
      "Conv2d: groups must divide inputs (4) and outputs (6), but is 4.",
    );
    expect(() => new Conv1d(3, 3, 3, { groups: 2 })).to.throw(RangeError, /Conv1d: groups must divide/);
    expect(() => new ConvTranspose2d(4, 4, 3, { groups: 0.5 })).to.throw(
      RangeError,
      /ConvTranspose2d: groups/,
    );
  });
});
