/** The UNet against the published PyTorch model: output, loss and the gradient of every parameter. */
import { evaluate, grad, type Tensor, tensor } from "@ddad/tensor";
import { expect } from "chai";
import { entry, type NpzArray, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { squaredError } from "../src/losses/index.ts";
import { UNet } from "../src/models/unet/unet.ts";
import { toTorch } from "../src/stateDict.ts";
import {
  channelsFirst,
  channelsLast,
  formula,
  formulaWeights,
  largestDifference,
  norm,
  readNames,
  relativeL2,
} from "./golden.ts";

const networks = [
  {
    name: "unet_micro",
    seed: 4,
    input: 900003,
    images: 1,
    t: [500],
    options: { channelMultipliers: [1, 2], blocksPerLevel: 1 },
  },
  { name: "unet_tiny", seed: 1, input: 900001, images: 2, t: [37, 812], options: {} },
] as const;

type Network = (typeof networks)[number];

/** The network with the weights of the formula, in evaluation mode. */
function build({ seed, options }: Network): UNet {
  const net = new UNet({ imageSize: 32, baseChannels: 32, heads: 2, ...options }).eval();
  net.loadStateDict(formulaWeights(net, seed));
  return net;
}

/** An [N, 3, 32, 32] array of the reference as a tensor [N, 32, 32, 3]. */
const image = (values: ArrayLike<number>): Tensor => {
  const images = values.length / (3 * 32 * 32);
  return tensor(channelsLast(values, [images, 3, 32, 32]), [images, 32, 32, 3]);
};

for (const network of networks) {
  const { name, input, images, t } = network;
  describe(`UNet: ${name} against PyTorch`, function () {
    this.timeout(10 * 60_000); // on a software adapter that others use too
    let net: UNet;
    before(async () => {
      net = build(network);
      await evaluate(...net.namedState().values());
    });
    after(() => net.dispose());

    it("gives its output", async function () {
      const arrays = readNpz(sharedOrSkip(this, "golden", `${name}.npz`));
      const out = net.forward(image(formula(input, images * 3 * 32 * 32)), tensor([...t]));
      const difference = largestDifference(
        channelsFirst(await out.data(), out.shape),
        entry(arrays, "out", Float32Array).data,
      );
      console.log(`    largest difference ${difference.toExponential(1)}`);
      expect(difference).to.be.below(1e-4);
    });

    it("gives its loss and every gradient", async function () {
      const arrays = readNpz(sharedOrSkip(this, "golden", `${name}.npz`));
      const expected = readNpz(sharedOrSkip(this, "golden", `${name}_grads.npz`));
      const zero = new Set(readNames(sharedOrSkip(this, "golden", `${name}_zero_grads.json`)));
      const alphaBar = entry(
        readNpz(sharedOrSkip(this, "golden", "schedule.npz")),
        "training",
        Float32Array,
      ).data;

      const steps = [...entry(arrays, "loss_t", Int32Array).data];
      const level = (f: (alphaBar: number) => number) =>
        tensor(
          steps.map((step) => f(alphaBar[step]!)),
          [images, 1, 1, 1],
        );
      const noise = image(entry(arrays, "loss_e", Float32Array).data);
      const noisy = image(entry(arrays, "loss_x0", Float32Array).data)
        .mul(level(Math.sqrt))
        .add(noise.mul(level((a) => Math.sqrt(1 - a))));
      const parameters = net.namedParameters();
      const predicted = net.forward(noisy, tensor(steps));
      const loss = squaredError(predicted, noise)
        .sum()
        .mul(1 / images);
      const gradients = grad(loss, [...parameters.values()]);
      await evaluate(loss, ...gradients);

      expect((await loss.item()) / entry(arrays, "loss64", Float64Array).data[0]!).to.be.closeTo(1, 1e-5);
      let worst = 0;
      const wrong: string[] = [];
      for (const [index, [key, { layout, shape }]] of [...parameters].entries()) {
        const values = toTorch(layout, shape, (await gradients[index]!.data()) as Float32Array);
        const error = zero.has(key)
          ? values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
          : gradientError(values, key, expected);
        worst = Math.max(worst, error);
        if (!(error < 1e-3)) wrong.push(`${key}: ${error.toExponential(1)}`);
      }
      console.log(`    ${parameters.size} gradients, worst error ${worst.toExponential(1)}`);
      expect(wrong).to.deep.equal([]);
      for (const gradient of gradients) gradient.dispose();
    });
  });
}

/**
 * Relative L2 error of a gradient. Where the reference holds samples only: that of the samples, relative to what as many
 * elements of the whole have on average, and that of the norm.
 */
function gradientError(values: Float32Array, key: string, expected: Map<string, NpzArray>): number {
  const whole = expected.get(key);
  if (whole) return relativeL2(values, whole.data);
  const { data: samples } = entry(expected, `${key}|val`, Float32Array);
  const [, , length] = entry(expected, `${key}|stats64`, Float64Array).data as unknown as number[];
  const picked = samples.map((_, j) => values[Math.floor((j * values.length) / samples.length)]!);
  const differences = picked.map((value, j) => value - samples[j]!);
  const typical = length! * Math.sqrt(samples.length / values.length);
  return Math.max(norm(differences) / typical, Math.abs(norm(values) / length! - 1));
}

describe("UNet: numbers of the published model", () => {
  // Excerpts of the reference output at channel 0, row 0 and channel 2, row 31, columns 0, 10, 20, 30.
  const excerpts = {
    unet_micro: [
      [0.536478, 0.222604, -0.005611, 0.363623],
      [0.1388, 0.017765, 0.048472, 0.55139],
    ],
    unet_tiny: [
      [-0.26498, -0.505345, 0.302841, -0.062312],
      [0.141395, 0.093156, 0.335549, -0.285274],
    ],
  };
  for (const network of networks) {
    it(`${network.name} from formula weights`, async () => {
      using net = build(network);
      const out = net.forward(
        image(formula(network.input, network.images * 3 * 32 * 32)),
        tensor([...network.t]),
      );
      const values = await out.data();
      const at = (row: number, column: number, channel: number) => values[(row * 32 + column) * 3 + channel]!;
      const got = [
        [0, 10, 20, 30].map((column) => at(0, column, 0)),
        [0, 10, 20, 30].map((column) => at(31, column, 2)),
      ];
      expect(largestDifference(got.flat(), excerpts[network.name].flat())).to.be.below(1e-4);
    });
  }
});
