/** The UNet in mixed precision against the same network in f32. */
import { evaluate, grad, LossScale, type Tensor, tensor, UNet, type UNetOptions } from "@ddad/nn";
import { expect } from "chai";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import { formula, formulaWeights } from "./golden.ts";

const options: UNetOptions = {
  imageSize: 16,
  baseChannels: 32,
  heads: 2,
  channelMultipliers: [1, 1],
  blocksPerLevel: 1,
  attentionSizes: [8],
  seed: 5,
};

/** |a − b| over |b|, as norms. */
function relative(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return Math.sqrt(difference / size);
}

describe("UNet: mixed precision", function () {
  this.timeout(240_000);

  before(function () {
    if (testDevice().capabilities.f16) return;
    console.log("    skipped: this adapter has no shader-f16");
    this.skip();
  });

  /** Weights that are not zero where the network starts with zeros, so that every layer counts. */
  async function pair(): Promise<[UNet, UNet]> {
    const single = new UNet(options);
    single.loadStateDict(formulaWeights(single, 3));
    await evaluate(...single.parameters());
    const mixed = new UNet({ ...options, precision: "mixed" });
    mixed.loadStateDict(await single.stateDict());
    await evaluate(...mixed.parameters());
    return [single, mixed];
  }

  const x = () => tensor(formula(9, 2 * 16 * 16 * 3), [2, 16, 16, 3]);
  const t = () => tensor([3, 200]);

  it("predicts the same noise as f32 within f16 precision", async () => {
    const [single, mixed] = await pair();
    const [expected, got] = [single.forward(x(), t()), mixed.forward(x(), t())];
    expect(got.dtype).to.equal("f32");
    expect(relative(await got.data(), await expected.data()))
      .to.be.below(3e-3)
      .and.above(0);
  });

  it("keeps f16 weights for inference: the same results in less memory", async () => {
    const [single, mixed] = await pair();
    const expected = await mixed.forward(x(), t()).data();
    await mixed.castWeightsToF16();
    expect(await mixed.forward(x(), t()).data()).to.deep.equal(expected);
    for (const [name, { dtype, shape }] of mixed.namedState()) {
      const ofTime = /time_embed|embed_layers/.test(name);
      expect(dtype, name).to.equal(shape.length > 1 && !ofTime ? "f16" : "f32");
    }
    expect([...(await mixed.stateDict()).keys()]).to.deep.equal([...(await single.stateDict()).keys()]);
    const refused = await single.castWeightsToF16().then(
      () => "cast",
      (error: Error) => error.message,
    );
    expect(refused).to.match(/^UNet.castWeightsToF16: the precision is f32/);
  });

  it("gives f32 gradients of every weight, close to those of f32, through a scaled loss", async () => {
    const [single, mixed] = await pair();
    const loss = (net: UNet): Tensor => net.forward(x(), t()).sub(x()).square().mean();
    const lossScale = new LossScale({ initial: 1024 });
    const expected = grad(loss(single), single.parameters());
    const scaled = grad(lossScale.scale(loss(mixed)), mixed.parameters());
    const { factor } = lossScale.update(scaled);
    const got = scaled.map((gradient) => gradient.mul(factor.reshape([])));
    await evaluate(...expected, ...got);
    const names = [...single.namedParameters()].map(([name]) => name);
    for (const [index, name] of names.entries()) {
      expect(got[index]!.dtype, name).to.equal("f32");
      // A bias in front of a group norm of one channel a group has a gradient of nothing but rounding errors.
      const reference = await expected[index]!.data();
      if (Math.hypot(...reference) < 1e-5) continue;
      expect(relative(await got[index]!.data(), reference), name).to.be.below(3e-2);
    }
  });
});
