/** Blur, pooling and resizing against what PyTorch and kornia recorded for the heat map. */
import {
  averagePool,
  type Call,
  gaussianBlur,
  gaussianTaps,
  type Kernel,
  resizeBilinear,
  spec,
} from "@ddad/kernels-wgsl";
import { expect } from "chai";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import { entry, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { compare, runVariant } from "./harness.ts";

type Recorded = { shape: number[]; data: Float32Array };

/** [N, C, H, W] as recorded, to [N, H, W, C]. */
function channelsLast({ shape, data }: Recorded): { shape: number[]; data: Float64Array } {
  const [batch, channels, height, width] = shape as [number, number, number, number];
  const pixels = height * width;
  const moved = new Float64Array(data.length);
  for (let n = 0; n < batch; n++)
    for (let c = 0; c < channels; c++)
      for (let p = 0; p < pixels; p++) {
        moved[(n * pixels + p) * channels + c] = data[(n * channels + c) * pixels + p]!;
      }
  return { shape: [batch, height, width, channels], data: moved };
}

describe("resampling as recorded", () => {
  let golden: ReturnType<typeof readNpz>;
  before(function () {
    golden = readNpz(sharedOrSkip(this, "golden", "heatmap.npz"));
  });

  /** Runs a kernel on recorded entry `from` and compares with entry `to`. */
  async function check(kernel: Kernel, attrs: unknown, from: string, to: string) {
    const { gpu, capabilities } = testDevice();
    const input = channelsLast(entry(golden, from, Float32Array));
    const expected = channelsLast(entry(golden, to, Float32Array));
    const inputs = { x: spec(input.shape) };
    const call: Call = { inputs, attrs, ...kernel.infer(inputs, attrs) };
    expect(call.outputs["y"]!.shape).to.deep.equal(expected.shape);
    const values = { x: input.data };
    const { y } = await runVariant(gpu, capabilities, kernel, kernel.variants[0]!, call, values);
    compare(to, y!, expected.data, "f32", 2e-6);
  }

  it("the taps of σ = 4 are kornia's", () => {
    const taps = entry(golden, "gauss33", Float32Array).data;
    gaussianTaps({ sigma: 4, taps: 33 }).forEach((weight, k) => {
      // kornia computes them in f32; two units in the last place of 0.0997, the largest.
      expect(weight).to.be.closeTo(taps[k]!, 2 * 2 ** -27);
    });
  });

  it("the blur is kornia's", () =>
    check(gaussianBlur as Kernel, { sigma: 4, taps: 33 }, "blur_in", "blur_out"));

  it("the mean of 3×3 patches is PyTorch's", () =>
    check(averagePool as Kernel, { kernelSize: 3, stride: 1, padding: 1 }, "patch_f", "patch_fm"));

  it("the enlarged distance is PyTorch's", () =>
    check(resizeBilinear as Kernel, { size: [64, 64], alignCorners: true }, "cosmap2", "cosmap2_up"));
});
