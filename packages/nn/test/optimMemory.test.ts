/** Optimisers and the memory of what they change: out of memory, shared parameters, what is disposed of, frozen or loaded meanwhile. */
import {
  evaluate,
  OutOfMemoryError,
  StaleValueError,
  type Tensor,
  tensor,
  type Variable,
} from "@ddad/tensor";
import { heldBytes } from "@ddad/tensor/internal";
import { expect } from "chai";
import { releaseGarbage, testDevice } from "../../tensor/test/device.hooks.ts";
import { withMemory } from "../../tensor/test/limitedMemory.ts";
import { HostRandom } from "../src/hostRandom.ts";
import { Linear } from "../src/layers/linear.ts";
import { Sequential } from "../src/layers/sequential.ts";
import { Adam } from "../src/optim/adam.ts";
import { EMA } from "../src/optim/ema.ts";
import type { Optimizer } from "../src/optim/optimizer.ts";
import { SGD } from "../src/optim/sgd.ts";
import { formula } from "./golden.ts";

const network = (): Sequential => {
  const random = new HostRandom(1);
  return new Sequential(new Linear(8, 8, { random }), new Linear(8, 4, { random }));
};
const gradientsOf = ({ parameters }: { parameters: readonly Tensor[] }): Tensor[] =>
  parameters.map(({ shape, size }) => tensor(formula(2, size), shape));

async function read(net: Sequential): Promise<number[][]> {
  const entries = [...(await net.stateDict()).values()];
  return entries.map(({ data }) => [...(data as Float32Array)]);
}

const reasonOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => expect.fail("nothing was thrown"),
    (reason: unknown) => reason,
  );

describe("memory of optimisers", () => {
  /** With no more than `bytes` of new memory; @returns what the evaluation is rejected with */
  async function refusal(context: Mocha.Context, bytes: number, work: () => void): Promise<unknown> {
    testDevice().buffers.trim();
    const done = await withMemory(testDevice(), bytes, () => {
      work();
      return reasonOf(evaluate());
    });
    if (done) return done.result;
    console.log("      this adapter has memory for any buffer: it cannot be made to run out of it");
    return context.skip();
  }

  it("leave the parameters their values when there is no memory for the step's state", async function () {
    using net = network();
    const before = await read(net);
    const places = net.parameters().map(({ storage }) => storage.region);
    let optimizer: Adam | undefined;
    const reason = await refusal(this, 0, () => {
      optimizer = new Adam(net);
    });
    expect(reason).to.be.instanceOf(OutOfMemoryError);
    expect((reason as Error).message).to.match(/Use a smaller micro-batch or smaller images\.$/);
    expect(net.parameters().map(({ storage }) => storage.region)).to.deep.equal(places);
    optimizer!.step(gradientsOf(optimizer!));
    expect(await reasonOf(evaluate(...optimizer!.variables))).to.be.instanceOf(OutOfMemoryError);
    for (const parameter of net.parameters()) parameter.reset();
    optimizer!.dispose();
    expect(await read(net)).to.deep.equal(before);
    using another = new Adam(net, { learningRate: 0 });
    another.step(gradientsOf(another));
    await evaluate(...another.variables);
    expect(await read(net)).to.deep.equal(before);
  });

  it("keep all weights when memory runs out during loading", async function () {
    using net = network();
    using optimizer = new SGD(net, { learningRate: 1 });
    await evaluate();
    const before = await read(net);
    const dict = new Map([...(await net.stateDict())].map(([name, value]) => [name, { ...value }]));
    for (const value of dict.values()) value.data = new Float32Array(value.data.length).fill(7);
    // Weight and bias of the first layer take 256 bytes each.
    const reason = await refusal(this, 512, () => net.loadStateDict(dict));
    expect(reason).to.be.instanceOf(OutOfMemoryError);
    expect(await read(net)).to.deep.equal(before);
    net.loadStateDict(dict);
    await evaluate(...optimizer.variables);
    expect(new Set((await read(net)).flat())).to.deep.equal(new Set([7]));
    expect(net.parameters().every(({ storage }) => storage.shares)).to.equal(true);
  });

  it("take interleaved steps on shared parameters", async () => {
    const results: number[][][] = [];
    for (const together of [true, false]) {
      using net = network();
      const parameters = net.parameters();
      const made = (source: readonly Variable[], make: (of: readonly Variable[]) => Optimizer) =>
        together ? [make(source)] : source.map((parameter) => make([parameter]));
      const first = made(parameters.slice(0, 3), (of) => new SGD(of, { learningRate: 0.5 }));
      const second = made(parameters.slice(1), (of) => new Adam(of, { learningRate: 0.1 }));
      for (const optimizer of [...first, ...second, ...first]) {
        optimizer.step(gradientsOf(optimizer));
        await evaluate(...optimizer.variables);
      }
      expect(parameters.slice(0, 3).some(({ storage }) => storage.shares)).to.equal(together);
      for (const optimizer of [...first, ...second]) optimizer.dispose();
      results.push(await read(net));
    }
    expect(results[0]).to.deep.equal(results[1]);
  });

  it("free all their memory, in any order, even when disposed of twice", async () => {
    const { buffers } = testDevice();
    const net = network();
    const average = new EMA(net);
    const optimizer = new Adam(net, { ema: average });
    await evaluate(...optimizer.variables);
    await average.swap();
    const own = heldBytes(average.variables);
    expect(heldBytes(optimizer.variables)).to.equal(4 * own);
    await releaseGarbage();
    const before = buffers.liveBytes;
    for (let time = 0; time < 2; time++) average.dispose();
    expect(buffers.liveBytes).to.equal(before - own);
    for (let time = 0; time < 2; time++) optimizer.dispose();
    expect(heldBytes(optimizer.variables)).to.equal(own);
    expect(await read(net)).to.have.length(4);
    for (let time = 0; time < 2; time++) net.dispose();
    expect(heldBytes(optimizer.variables)).to.equal(0);
    expect(buffers.liveBytes).to.be.at.most(before - 4 * own);
  });

  it("refuse a step on what is disposed of, also while the step is on its way", async () => {
    using net = network();
    using optimizer = new SGD(net, { learningRate: 1 });
    optimizer.step(gradientsOf(optimizer));
    const stepped = evaluate(...optimizer.variables);
    net.layers[1]!.dispose();
    expect(await reasonOf(stepped)).to.be.instanceOf(StaleValueError);
  });

  it("keep training a parameter that is frozen later; a new optimiser leaves it alone", async () => {
    using net = network();
    using optimizer = new SGD(net, { learningRate: 1 });
    net.layers[0]!.freeze();
    expect(optimizer.parameters).to.have.length(4);
    optimizer.step(gradientsOf(optimizer));
    await evaluate(...optimizer.variables);
    const before = await read(net);
    using another = new SGD(net, { learningRate: 1 });
    another.step(gradientsOf(another));
    await evaluate(...another.variables);
    const after = await read(net);
    expect(after.slice(0, 2)).to.deep.equal(before.slice(0, 2));
    expect(after[2]).to.not.deep.equal(before[2]);
  });
});
