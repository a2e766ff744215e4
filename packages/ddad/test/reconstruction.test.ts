/** The reconstruction against runs of the published code with its noises recorded. */
import { type Tensor, tensor, UNet } from "@ddad/nn";
import { expect } from "chai";
import { channelsFirst, channelsLast, formulaWeights, largestDifference } from "../../nn/test/golden.ts";
import { entry, type NpzArray, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { type ReconstructionOptions, reconstruct } from "../src/reconstruction.ts";
import { linearSchedule } from "../src/schedule.ts";

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
