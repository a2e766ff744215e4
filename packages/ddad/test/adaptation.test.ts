/** Domain adaptation against the published code, and its exact resume. */
import { evaluate, foldBatchNorm, grad, type ResNet, resnet50, type Tensor, tensor } from "@ddad/nn";
import { expect } from "chai";
import { channelsLast, formulaWeights, norm } from "../../nn/test/golden.ts";
import { entry, type NpzArray, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { type AdaptationPair, adaptationLoss, DomainAdapter } from "../src/adaptation/domainAdapter.ts";

const options = { learningRate: 1e-4, weightDecay: 0.01, distillation: 0.1 };

describe("adaptation of ResNet-50 against the published code", function () {
  this.timeout(20 * 60_000); // on a software adapter that others use too
  let arrays: Map<string, NpzArray>;
  let net: ResNet;
  before(async function () {
    arrays = readNpz(sharedOrSkip(this, "golden", "adapt.npz"));
    using whole = resnet50({ init: "zeros" });
    net = resnet50({ lastLayer: "layer3", init: "zeros" });
    net.loadPretrained(formulaWeights(whole, 5));
    await evaluate(...net.namedState().values());
  });
  after(() => net?.dispose());

  const batch = (key: string, step: number): Tensor => {
    const { data } = entry(arrays, key, Float32Array);
    const size = 4 * 3 * 64 * 64;
    return tensor(
      channelsLast(data.subarray(step * size, (step + 1) * size), [4, 3, 64, 64]),
      [4, 64, 64, 3],
    );
  };
  const pair = (step: number): AdaptationPair => ({
    reconstruction: batch("x0", step),
    target: batch("target", step),
  });

  /** Largest errors of what is recorded under `prefix`: of norms (relative) and of first elements (in learning rates). */
  const compare = async (prefix: string, state: ReadonlyMap<string, Float32Array>) => {
    const worst = { norms: 0, elements: 0 };
    for (const [name, values] of state) {
      const expected = entry(arrays, `${prefix}/${name}|l2`, Float64Array).data[1]!;
      worst.norms = Math.max(worst.norms, Math.abs(norm(values) / expected - 1));
      const { data: head } = entry(arrays, `${prefix}/${name}|head`, Float32Array);
      for (const [k, value] of head.entries())
        worst.elements = Math.max(worst.elements, Math.abs(values[k]! - value) / options.learningRate);
    }
    return worst;
  };
  const parametersOf = async (): Promise<Map<string, Float32Array>> => {
    const names = new Set(net.namedParameters().keys());
    const state = [...(await net.stateDict())].filter(([name]) => names.has(name));
    return new Map(state.map(([name, { data }]) => [name, data as Float32Array]));
  };

  it("has its gradients at the first step", async () => {
    using frozen = await foldBatchNorm(net);
    const names = [...net.namedParameters().keys()];
    net.train();
    const loss = adaptationLoss(net, frozen, pair(0), options);
    const gradients = grad(loss, net.parameters());
    await evaluate(loss, ...gradients);
    for (const buffer of net.buffers()) buffer.reset(); // the running statistics of this pass are not wanted
    const dict = new Map(names.map((name, k) => [name, gradients[k]!]));
    let worst = 0;
    for (const [name, gradient] of dict) {
      const values = (await gradient.data()) as Float32Array;
      const [, , expected] = entry(arrays, `grad/${name}|stats64`, Float64Array).data;
      worst = Math.max(worst, Math.abs(norm(values) / expected! - 1));
    }
    console.log(
      `    loss ${await loss.item()}, largest relative error of a gradient's norm ${worst.toExponential(1)}`,
    );
    expect(worst).to.be.below(1e-3);
    expect(Math.abs((await loss.item()) / entry(arrays, "loss64", Float64Array).data[0]! - 1)).to.be.below(
      1e-5,
    );
  });

  it("has its losses, and its weights and running statistics after one and three steps", async () => {
    const expected = entry(arrays, "loss64", Float64Array).data;
    using adapter = await DomainAdapter.create(net, options);
    let worstLoss = 0;
    for (let step = 0; step < 3; step++) {
      const loss = await adapter.takeStep(pair(step));
      worstLoss = Math.max(worstLoss, Math.abs(loss / expected[step]! - 1));
      if (step === 1) continue;
      const worst = await compare(`after${step + 1}`, await parametersOf());
      console.log(
        `    after ${step + 1} steps: norms ${worst.norms.toExponential(1)}, elements ${worst.elements.toExponential(1)} learning rates`,
      );
      expect(worst.norms).to.be.below(1e-4);
      expect(worst.elements).to.be.below(0.1);
    }
    console.log(`    largest relative error of the loss ${worstLoss.toExponential(1)}`);
    expect(worstLoss).to.be.below(1e-4);

    const state = await net.stateDict();
    expect(Number(state.get("bn1.num_batches_tracked")!.data[0])).to.equal(
      entry(arrays, "num_batches_tracked", Int32Array).data[0],
    );
    let worst = 0;
    for (const [name, { data }] of state) {
      if (!/running_(mean|var)$/.test(name)) continue;
      const [, , length] = entry(arrays, `after3/${name}|stats`, Float64Array).data;
      worst = Math.max(worst, Math.abs(norm(data as Float32Array) / length! - 1));
    }
    console.log(`    running statistics ${worst.toExponential(1)}`);
    expect(worst).to.be.below(1e-4);
  });
});
