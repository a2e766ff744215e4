/** Twenty steps of training against PyTorch's: losses before each step, parameters after the first and the last. */
import { compile, evaluate, grad, type Tensor, tensor } from "@ddad/tensor";
import { expect } from "chai";
import { entry, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { squaredError } from "../src/losses/index.ts";
import { UNet } from "../src/models/unet/unet.ts";
import { Adam } from "../src/optim/adam.ts";
import { channelsLast, formulaWeights, norm, readNames } from "./golden.ts";

describe("UNet: twenty Adam steps of unet_tiny", () => {
  it("has PyTorch's losses and ends at PyTorch's parameters", async function () {
    this.timeout(20 * 60_000); // on a software adapter that others use too
    const arrays = readNpz(sharedOrSkip(this, "golden", "train.npz"));
    const zero = new Set(readNames(sharedOrSkip(this, "golden", "unet_tiny_zero_grads.json")));
    const alphaBar = entry(
      readNpz(sharedOrSkip(this, "golden", "schedule.npz")),
      "training",
      Float32Array,
    ).data;
    const { data: images } = entry(arrays, "images", Float32Array);
    const { data: noises } = entry(arrays, "noise", Float32Array);
    const order = entry(arrays, "order", Int32Array).data;
    const times = entry(arrays, "t", Int32Array).data;
    const { data: losses } = entry(arrays, "loss64", Float64Array);
    const size = 3 * 32 * 32;

    using net = new UNet({ imageSize: 32, baseChannels: 32, heads: 2 });
    net.loadStateDict(formulaWeights(net, 1));
    using optimizer = new Adam(net, { learningRate: 3e-4, weightDecay: 0.05 });
    await evaluate(...optimizer.variables);
    const step = compile((clean: Tensor, noise: Tensor, level: Tensor, t: Tensor, control: Tensor) => {
      const noisy = clean.mul(level.sqrt()).add(noise.mul(level.neg().add(1).sqrt()));
      const loss = squaredError(net.forward(noisy, t), noise).sum().mul(0.5);
      optimizer.step(grad(loss, optimizer.parameters), { control });
      return loss;
    });

    /** Largest relative error of the parameters' norms and, of the sampled elements, in learning rates. */
    const compare = async (after: 1 | 20): Promise<{ norms: number; elements: number }> => {
      const worst = { norms: 0, elements: 0 };
      for (const [name, { data }] of await net.stateDict()) {
        const values = data as Float32Array;
        const { data: head } = entry(arrays, `${name}|after${after}`, Float32Array);
        const expected = entry(arrays, `${name}|l2`, Float64Array).data[after === 1 ? 2 : 3]!;
        worst.norms = Math.max(worst.norms, Math.abs(norm(values) / expected - 1));
        // Where the exact gradient is zero, Adam turns rounding noise into whole steps.
        if (zero.has(name)) continue;
        for (const [i, value] of head.entries()) {
          worst.elements = Math.max(worst.elements, Math.abs(values[i]! - value) / 3e-4);
        }
      }
      return worst;
    };

    let worstLoss = 0;
    for (let k = 0; k < 20; k++) {
      const pair = [...order.subarray(2 * k, 2 * k + 2)];
      const clean = channelsLast(
        pair.flatMap((index) => [...images.subarray(index * size, (index + 1) * size)]),
        [2, 3, 32, 32],
      );
      const noise = channelsLast(noises.subarray(2 * k * size, 2 * (k + 1) * size), [2, 3, 32, 32]);
      const t = [...times.subarray(2 * k, 2 * k + 2)];
      const loss = await step(
        tensor(clean, [2, 32, 32, 3]),
        tensor(noise, [2, 32, 32, 3]),
        tensor(
          t.map((time) => alphaBar[time]!),
          [2, 1, 1, 1],
        ),
        tensor(t),
        optimizer.control(),
      );
      worstLoss = Math.max(worstLoss, Math.abs((await loss.item()) / losses[k]! - 1));
      if (k === 0) {
        const first = await compare(1);
        expect(first.norms).to.be.below(1e-5);
        expect(first.elements).to.be.below(0.01);
      }
    }
    const last = await compare(20);
    console.log(
      `    losses within ${worstLoss.toExponential(1)}, norms ${last.norms.toExponential(1)}, ` +
        `elements ${last.elements.toExponential(1)} learning rates`,
    );
    expect(worstLoss).to.be.below(1e-3);
    expect(last.norms).to.be.below(1e-4);
    expect(last.elements).to.be.below(0.5);
  });
});
