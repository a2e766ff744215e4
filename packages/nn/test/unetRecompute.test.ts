/** Gradient checkpointing of blocks: the same numbers from less memory. */
import {
  compile,
  evaluate,
  grad,
  planBytes,
  RandomStream,
  randomKeys,
  type Tensor,
  tensor,
  UNet,
  type UNetOptions,
} from "@ddad/nn";
import { expect } from "chai";
import { formula, formulaWeights } from "./golden.ts";

const options: UNetOptions = {
  imageSize: 16,
  baseChannels: 32,
  heads: 1,
  dropout: 0.2,
  // Two channels a group at the second level: with one a norm would take away what the time step adds.
  channelMultipliers: [1, 2],
  blocksPerLevel: 1,
  attentionSizes: [8],
};

describe("UNet: recompute", function () {
  this.timeout(120_000);

  const network = async (recompute: boolean): Promise<UNet> => {
    const net = new UNet({ ...options, recompute });
    net.loadStateDict(formulaWeights(net, 4));
    await evaluate(...net.parameters());
    return net.train();
  };
  const lossOf = (net: UNet) => (x: Tensor, t: Tensor, keys: Tensor<"u32">) =>
    net
      .forward(x, t, { random: new RandomStream(keys) })
      .square()
      .mean();

  it("gives the same loss and gradients, dropout included", async () => {
    const args = [
      tensor(formula(2, 16 * 16 * 3), [1, 16, 16, 3]),
      tensor([100]),
      randomKeys(3, [{ stream: 1, step: 2 }]),
    ] as const;
    const found = [];
    let names: string[] = [];
    for (const recompute of [false, true]) {
      const net = await network(recompute);
      names = [...net.namedParameters()].map(([name]) => name);
      const run = compile((x: Tensor, t: Tensor, keys: Tensor<"u32">) => {
        const loss = lossOf(net)(x, t, keys);
        return [loss, ...grad(loss, net.parameters())];
      });
      const results = (await run(...args)) as Tensor[];
      found.push(await Promise.all(results.map(async (result) => [...(await result.data())])));
      for (const result of results) result.dispose();
      net.dispose();
    }
    const [[loss, ...plain], [lossAgain, ...again]] = found as [
      [number[], ...number[][]],
      [number[], ...number[][]],
    ];
    expect(lossAgain).to.deep.equal(loss);
    const size = (values: readonly number[]) => Math.hypot(...values);
    const whole = size(plain.map(size));
    for (const [index, values] of plain.entries()) {
      const difference = size(values.map((value, i) => value - again[index]![i]!));
      // What a norm cancels has a gradient of rounding errors only.
      if (size(values) > 1e-6 * whole) expect(difference, names[index]).to.be.below(1e-4 * size(values));
      else expect(difference, names[index]).to.be.below(1e-6 * whole);
    }
    expect(size(plain[names.indexOf("time_embedding.1.weight")]!)).to.be.above(1e-4 * whole);
  });

  it("needs less between its kernels, and planning says so without running", async () => {
    const bytes = await Promise.all(
      [false, true].map(async (recompute) => {
        using net = await network(recompute);
        const step = (x: Tensor, t: Tensor, keys: Tensor<"u32">) => {
          const loss = lossOf(net)(x, t, keys);
          for (const [k, gradient] of grad(loss, net.parameters()).entries()) {
            const parameter = net.parameters()[k]!;
            parameter.assign(parameter.sub(gradient.mul(0.1)));
          }
          return loss;
        };
        return planBytes(step, [
          { shape: [4, 16, 16, 3], dtype: "f32" },
          { shape: [4], dtype: "f32" },
          { shape: [4, 4], dtype: "u32" },
        ]);
      }),
    );
    const [plain, again] = bytes as [(typeof bytes)[0], (typeof bytes)[0]];
    expect(again.intermediates).to.be.below(0.7 * plain.intermediates);
    // A constant more or less.
    expect(again.inputs).to.be.closeTo(plain.inputs, 64);
    // Several values share a buffer, so that next to nothing lies idle.
    expect(plain.intermediates).to.be.within(plain.live, 1.05 * plain.live);
    expect(again.intermediates).to.be.within(again.live, 1.05 * again.live);
  });
});
