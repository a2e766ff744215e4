/** The reconstruction against runs of the published code with its noises recorded. */
import { type Tensor, tensor, UNet } from "@ddad/nn";
import { expect } from "chai";
import {
  channelsFirst,
  channelsLast,
  formula,
  formulaWeights,
  largestDifference,
} from "../../nn/test/golden.ts";
import { entry, type NpzArray, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import type { Denoiser } from "../src/diffusion/denoiser.ts";
import { type ReconstructionOptions, reconstruct } from "../src/diffusion/reconstruction.ts";
import { linearSchedule } from "../src/diffusion/schedule.ts";

const schedule = linearSchedule({ steps: 1000, from: 1e-4, to: 0.02 });
const published = { schedule, start: 250, stride: 25, eta: 1 };

const settings = [
  { key: "w0", guidance: 0 },
  { key: "w2", guidance: 2 },
  { key: "w8", guidance: 8 },
  { key: "eta0", guidance: 2, eta: 0 },
  { key: "skip30", guidance: 3, stride: 30 },
  { key: "self", guidance: 4, target: "x" },
] as const;

/** Images `[k, N, C, H, W]` of an archive, one tensor `[N, H, W, C]` for each k. */
function imagesOf(arrays: Map<string, NpzArray>, key: string): Tensor[] {
  const { shape, data } = entry(arrays, key, Float32Array);
  const [n, c, h, w] = shape.slice(-4) as [number, number, number, number];
  const size = n * c * h * w;
  return Array.from({ length: data.length / size }, (_, k) =>
    tensor(channelsLast(data.slice(k * size, (k + 1) * size), [n, c, h, w]), [n, h, w, c]),
  );
}

describe("reconstruct: against the published code", () => {
  let arrays: Map<string, NpzArray>;
  before(function () {
    arrays = readNpz(sharedOrSkip(this, "golden", "recon.npz"));
  });

  for (const { key, ...rest } of settings) {
    it(`follows every state of ${key}`, async () => {
      using net = new UNet({ imageSize: 32, baseChannels: 32, heads: 2 }).eval();
      net.loadStateDict(formulaWeights(net, 1));
      const target = "target" in rest ? rest.target : "y0";
      const noise = imagesOf(arrays, arrays.has(`${key}|noise`) ? `${key}|noise` : "noise");
      const states: Float32Array[] = [];
      const observe = async (state: Tensor): Promise<void> => {
        states.push(channelsFirst(await state.data(), state.shape));
      };
      const options: ReconstructionOptions = { ...published, ...rest, noise, observe };
      const [x, y] = [imagesOf(arrays, "x")[0]!, imagesOf(arrays, target)[0]!];
      const result = await reconstruct(net, x, y, options);
      const expected = entry(arrays, `${key}|xt`, Float32Array).data;
      const size = result.size;
      expect(states).to.have.length(expected.length / size);
      const differences = states.map((state, k) =>
        largestDifference(state, expected.subarray(k * size, (k + 1) * size)),
      );
      console.log(`    largest difference of any state ${Math.max(...differences).toExponential(1)}`);
      expect(Math.max(...differences)).to.be.below(1e-3);
    });
  }
});

describe("reconstruct: against the published formulas, step by step", () => {
  const shape = [2, 2, 2, 3];
  const values = (stream: number): Float64Array => Float64Array.from(formula(stream, 24));
  const draws = Array.from({ length: 4 }, (_, k) => values(10 + k));
  /** Predicts a noise that depends on the image and on the time step. */
  const denoiser: Denoiser = { forward: (x, t) => x.mul(0.3).add(t.mul(1e-3).reshape([2, 1, 1, 1])) };

  /** The published code in double precision; strict bounds λ and starts without noise. */
  function expected(x: Float64Array, y: Float64Array, w: number, eta: number, strict: boolean): Float64Array {
    const from = schedule.alphaBar(150);
    let state = x.map(
      (value, i) => Math.sqrt(from) * value + (strict ? 0 : Math.sqrt(1 - from) * draws[0]![i]!),
    );
    for (const [step, t] of [100, 50, 0].entries()) {
      const a = schedule.alphaBar(t);
      const previous = schedule.alphaBar(t === 0 ? -1 : t - 50);
      const c1 = eta * Math.sqrt(((1 - a / previous) * (1 - previous)) / (1 - a));
      const c2 = Math.sqrt(1 - previous - c1 ** 2);
      const pull = strict ? Math.min(w, 1 / (1 - a)) : w;
      state = state.map((value, i) => {
        const epsilon = 0.3 * value + 1e-3 * t;
        const target = Math.sqrt(a) * y[i]! + Math.sqrt(1 - a) * epsilon;
        const guided = epsilon - Math.sqrt(1 - a) * pull * (target - value);
        const clean = (value - Math.sqrt(1 - a) * guided) / Math.sqrt(a);
        return Math.sqrt(previous) * clean + c1 * draws[step + 1]![i]! + c2 * guided;
      });
    }
    return state;
  }

  const settings = { schedule, start: 150, stride: 50 };
  const tensors = (arrays: readonly Float64Array[]) => arrays.map((array) => tensor(array, shape));

  for (const { guidance, eta, strict } of [
    { guidance: 0, eta: 1, strict: false },
    { guidance: 20, eta: 0.5, strict: false },
    { guidance: 2, eta: 0, strict: true },
    { guidance: 20, eta: 0, strict: true },
  ]) {
    it(`w ${guidance}, eta ${eta}, ${strict ? "strict" : "paper"}`, async () => {
      const [x, y] = tensors([values(1), values(2)]) as [Tensor, Tensor];
      const protocol = strict ? { limitGuidance: true, startNoise: false } : { noise: tensors(draws) };
      const result = await reconstruct(denoiser, x, y, { ...settings, guidance, eta, ...protocol });
      const reference = expected(values(1), values(2), guidance, eta, strict);
      expect(largestDifference(await result.data(), reference)).to.be.below(1e-5);
    });
  }

  it("draws noise by seed and image, not by place in the batch", async () => {
    const input = tensor(new Float32Array(24), shape);
    const run = async (seed: number, images: readonly number[]) => {
      const options = { ...settings, guidance: 0, eta: 1, seed, images };
      return [...(await (await reconstruct(denoiser, input, input, options)).data())];
    };
    const [ab, ba] = [await run(1, [7, 8]), await run(1, [8, 7])];
    expect(ab.slice(0, 12)).to.deep.equal(ba.slice(12));
    expect(ab.slice(12)).to.deep.equal(ba.slice(0, 12));
    expect(ab.slice(0, 12)).to.not.deep.equal(ab.slice(12));
    expect(await run(2, [7, 8])).to.not.deep.equal(ab);
  });

  it("refuses too few draws and identities that are too few", async () => {
    const input = tensor(new Float32Array(24), shape);
    const refusal = (options: Partial<ReconstructionOptions>) =>
      reconstruct(denoiser, input, input, { ...settings, guidance: 0, eta: 1, ...options }).catch(String);
    expect(await refusal({ noise: tensors(draws.slice(0, 2)) })).to.match(
      /reconstruct: draw 2 of the noise is needed, but only 2 draws were given/,
    );
    expect(await refusal({ images: [1] })).to.match(/there are 2 images, but 1 identities were given/);
  });
});
