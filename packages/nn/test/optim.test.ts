import { evaluate, tensor, Variable } from "@ddad/tensor";
import { expect } from "chai";
import { entry, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { StateDictError } from "../src/errors.ts";
import { Linear } from "../src/layers/linear.ts";
import { Sequential } from "../src/layers/sequential.ts";
import { Adam, AdamW } from "../src/optim/adam.ts";
import { clipGradientNorm } from "../src/optim/clip.ts";
import { EMA, emaWarmup } from "../src/optim/ema.ts";
import type { Optimizer } from "../src/optim/optimizer.ts";
import { warmupCosine } from "../src/optim/schedules.ts";
import { SGD } from "../src/optim/sgd.ts";
import { formula, largestDifference } from "./golden.ts";

const start = formula(1, 10);
const gradientOf = (step: number): Float32Array => formula(2 + step, 10, (u) => u * 10 ** (2 - step));

/** Parameter values after each of `steps` steps with the gradients of `gradientOf`. */
async function run(
  make: (parameters: Variable[]) => Optimizer,
  steps: number,
  scale?: number,
): Promise<number[][]> {
  const parameter = new Variable(tensor(start));
  const optimizer = make([parameter]);
  const history: number[][] = [];
  for (let step = 0; step < steps; step++) {
    optimizer.step([tensor(gradientOf(step))], scale === undefined ? {} : { gradientScale: tensor([scale]) });
    await evaluate(...optimizer.variables);
    history.push([...(await parameter.data())]);
  }
  optimizer.dispose();
  parameter.dispose();
  return history;
}

/** The same steps by the textbook, in f64. */
function adamByHand(steps: number, rate: number, decay: number, decoupled: boolean, scale = 1): number[][] {
  const p = [...start];
  const m = p.map(() => 0);
  const v = p.map(() => 0);
  return Array.from({ length: steps }, (_, step) => {
    for (const [i, raw] of gradientOf(step).entries()) {
      const g = raw * scale + (decoupled ? 0 : decay * p[i]!);
      m[i] = 0.9 * m[i]! + 0.1 * g;
      v[i] = 0.999 * v[i]! + 0.001 * g * g;
      if (decoupled) p[i]! -= rate * decay * p[i]!;
      p[i]! -=
        (rate * (m[i]! / (1 - 0.9 ** (step + 1)))) / (Math.sqrt(v[i]! / (1 - 0.999 ** (step + 1))) + 1e-8);
    }
    return [...p];
  });
}

const expectClose = (got: number[][], expected: ArrayLike<number>[], tolerance = 1e-6): void => {
  expect(got).to.have.length(expected.length);
  for (const [step, values] of got.entries()) {
    expect(largestDifference(values, expected[step]!), `step ${step}`).to.be.below(tolerance);
  }
};

describe("optimisers", () => {
  it("Adam adds weight decay to the gradient; AdamW keeps it apart", async () => {
    const options = { learningRate: 0.01, weightDecay: 0.3 };
    expectClose(await run((p) => new Adam(p, options), 5), adamByHand(5, 0.01, 0.3, false));
    expectClose(await run((p) => new AdamW(p, options), 5), adamByHand(5, 0.01, 0.3, true));
    expectClose(await run((p) => new AdamW(p), 2), adamByHand(2, 1e-3, 0.01, true));
  });

  it("scales the gradients without touching them", async () => {
    const scaled = await run((p) => new Adam(p, { learningRate: 0.01, weightDecay: 0.3 }), 3, 0.01);
    expectClose(scaled, adamByHand(3, 0.01, 0.3, false, 0.01));
  });

  it("follows a schedule", async () => {
    const learningRate = warmupCosine({ peak: 0.1, warmup: 2, steps: 4 });
    const history = await run((p) => new SGD(p, { learningRate }), 5);
    const p = [...start];
    const expected = Array.from({ length: 5 }, (_, step) => {
      for (const [i, g] of gradientOf(step).entries()) p[i]! -= learningRate(step) * g;
      return [...p];
    });
    expectClose(history, expected);
  });

  it("SGD keeps a velocity", async () => {
    const p = [...start];
    const velocity = p.map(() => 0);
    const expected = Array.from({ length: 4 }, (_, step) => {
      for (const [i, g] of gradientOf(step).entries()) {
        velocity[i] = 0.9 * velocity[i]! + g + 0.1 * p[i]!;
        p[i]! -= 0.01 * velocity[i]!;
      }
      return [...p];
    });
    expectClose(
      await run((v) => new SGD(v, { learningRate: 0.01, momentum: 0.9, weightDecay: 0.1 }), 4),
      expected,
    );
  });

  for (const [name, make] of [
    ["adam", (p: Variable[]) => new Adam(p, { learningRate: 3e-4, weightDecay: 0.05 })],
    ["adamw", (p: Variable[]) => new AdamW(p, { learningRate: 1e-4, weightDecay: 0.01 })],
  ] as const) {
    it(`${name} takes PyTorch's steps`, async function () {
      const arrays = readNpz(sharedOrSkip(this, "golden", "optim.npz"));
      const { data: grads } = entry(arrays, "grads", Float32Array);
      const { data: expected } = entry(arrays, `${name}64`, Float64Array);
      const parameter = new Variable(tensor(entry(arrays, "p0", Float32Array).data));
      using optimizer = make([parameter]);
      for (let step = 0; step < 6; step++) {
        optimizer.step([tensor(grads.slice(200 * step, 200 * (step + 1)))]);
        await evaluate(...optimizer.variables);
        const reference = expected.subarray(200 * step, 200 * (step + 1));
        expect(largestDifference(await parameter.data(), reference), `step ${step}`).to.be.below(1e-6);
      }
      parameter.dispose();
    });
  }

  it("refuses gradients of another number of parameters", () => {
    using net = new Linear(2, 2);
    using optimizer = new Adam(net);
    expect(() => optimizer.step([])).to.throw(
      /there are 2 parameters but 0 gradients; take grad\(loss, optimizer/,
    );
  });

  it("leaves frozen parameters alone and shared ones single", () => {
    using net = new Sequential(new Linear(2, 2), new Linear(2, 2));
    net.layers[0]!.freeze();
    using optimizer = new SGD(net, { learningRate: 1 });
    expect(optimizer.parameters).to.deep.equal(net.layers[1]!.parameters());
    using tied = new SGD([optimizer.parameters[0]!, optimizer.parameters[0]!], { learningRate: 1 });
    expect(tied.parameters).to.have.length(1);
  });
});

describe("clipGradientNorm", () => {
  const clip = async (gradients: number[][], largest: number) => {
    const { norm, scale } = clipGradientNorm(
      gradients.map((g) => tensor(g)),
      largest,
    );
    await evaluate(norm, scale);
    return [await norm.item(), await scale.item()];
  };

  it("brings a large norm down, leaves a small one, survives zero", async () => {
    expect((await clip([[3], [0, 4]], 1)).map((v) => +v!.toFixed(5))).to.deep.equal([5, 0.2]);
    expect(await clip([[3], [0, 4]], 6)).to.deep.equal([5, 1]);
    expect(await clip([[0], [0]], 1)).to.deep.equal([0, 1]);
  });
});

describe("EMA", () => {
  it("averages by its decay, in the optimiser's kernel or on its own", async () => {
    const decay = emaWarmup(0.95);
    expect([0, 8, 1000].map(decay)).to.deep.equal([0.1, 0.5, 0.95]);
    const values: number[][] = [];
    for (const fused of [true, false]) {
      using net = new Linear(2, 1, { bias: false, init: (n) => new Float32Array(n).fill(1) });
      using average = new EMA(net, { decay });
      using optimizer = fused
        ? new Adam(net, { learningRate: 0.5, ema: average })
        : new Adam(net, { learningRate: 0.5 });
      for (let step = 0; step < 3; step++) {
        optimizer.step([tensor([1, -1], [2, 1])]);
        if (!fused) average.update(step);
        await evaluate(...optimizer.variables, ...average.variables);
      }
      values.push([...(await average.emaOf(net.weight)!.data())]);
    }
    // Adam with a constant gradient moves by the learning rate: 1 ∓ 0.5, 1 ∓ 1, 1 ∓ 1.5.
    let [a, b] = [1, 1];
    for (let step = 0; step < 3; step++) {
      const d = decay(step);
      [a, b] = [d * a + (1 - d) * (1 - 0.5 * (step + 1)), d * b + (1 - d) * (1 + 0.5 * (step + 1))];
    }
    expectClose(
      values,
      [
        [a, b],
        [a, b],
      ],
      1e-5,
    );
  });

  it("starts at the parameters and saves under their names", async () => {
    using net = new Linear(2, 1);
    using average = new EMA(net);
    expect(await average.stateDict()).to.deep.equal(await net.stateDict());
    const bad = new Map(await average.stateDict());
    bad.delete("bias");
    expect(() => average.loadStateDict(bad)).to.throw(StateDictError, /missing: "bias"/);
  });
});
