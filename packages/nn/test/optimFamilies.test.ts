/** SGD's variants, RMSprop and Adagrad against PyTorch's algorithms in f64. */
import { evaluate, tensor, UsageError, Variable } from "@ddad/tensor";
import { expect } from "chai";
import { Adagrad } from "../src/optim/adagrad.ts";
import type { Optimizer } from "../src/optim/optimizer.ts";
import { RMSprop, type RMSpropOptions } from "../src/optim/rmsprop.ts";
import { SGD, type SGDOptions } from "../src/optim/sgd.ts";
import { formula, largestDifference } from "./golden.ts";

const start = formula(1, 9);
const gradientOf = (step: number): Float32Array => formula(2 + step, 9);
const steps = 5;

/** Values after each step; the third is one that the gradients' scale skips. */
async function run(make: (parameters: Variable[]) => Optimizer): Promise<number[][]> {
  using parameter = new Variable(tensor(start, [3, 3]));
  using optimizer = make([parameter]);
  const history: number[][] = [];
  for (let step = 0; step < steps; step++) {
    const gradient = step === 2 ? new Float32Array(9).fill(Number.NaN) : gradientOf(step);
    optimizer.step([tensor(gradient, [3, 3])], { gradientScale: tensor([step === 2 ? 0 : 0.5]) });
    await evaluate(...optimizer.variables);
    history.push([...(await parameter.data())]);
  }
  return history;
}

type Rule = (state: { p: number; g: number; step: number; kept: number[] }) => number;

/** The same by a rule for each element, which gives the next value and keeps what it needs. */
function byHand(rule: Rule, weightDecay: number): number[][] {
  const p = [...start];
  const kept = p.map(() => [0, 0, 0]);
  return Array.from({ length: steps }, (_, step) => {
    if (step !== 2) {
      for (const [i, gradient] of gradientOf(step).entries()) {
        const g = 0.5 * gradient + weightDecay * p[i]!;
        p[i] = rule({ p: p[i]!, g, step, kept: kept[i]! });
      }
    }
    return [...p];
  });
}

const expectClose = (got: number[][], expected: number[][]): void => {
  for (const [step, values] of got.entries()) {
    expect(largestDifference(values, expected[step]!), `step ${step}`).to.be.below(2e-6);
  }
};

describe("optimisers", () => {
  for (const options of [
    { momentum: 0.9, nesterov: true, weightDecay: 0.1 },
    { momentum: 0.9, dampening: 0.3, weightDecay: 0.1 },
    { momentum: 0.9 },
  ] satisfies SGDOptions[]) {
    it(`SGD ${JSON.stringify(options)}`, async () => {
      const {
        momentum,
        nesterov,
        dampening = 0,
        weightDecay = 0,
      } = options as SGDOptions & { momentum: number };
      const expected = byHand(({ p, g, step, kept }) => {
        kept[0] = step === 0 ? g : momentum * kept[0]! + (1 - dampening) * g;
        return p - 0.1 * (nesterov ? g + momentum * kept[0] : kept[0]);
      }, weightDecay);
      expectClose(await run((p) => new SGD(p, { learningRate: 0.1, ...options })), expected);
    });
  }

  for (const options of [
    {},
    { decay: 0.9, epsilon: 1e-3, weightDecay: 0.1, momentum: 0.8 },
    { centered: true, momentum: 0.5, epsilon: 1e-2 },
  ] satisfies RMSpropOptions[]) {
    it(`RMSprop ${JSON.stringify(options)}`, async () => {
      const given: RMSpropOptions = options;
      const { decay = 0.99, epsilon = 1e-8, weightDecay = 0, momentum = 0, centered = false } = given;
      const expected = byHand(({ p, g, kept }) => {
        kept[0] = decay * kept[0]! + (1 - decay) * g * g;
        kept[1] = decay * kept[1]! + (1 - decay) * g;
        const by = g / (Math.sqrt(kept[0] - (centered ? kept[1] ** 2 : 0)) + epsilon);
        kept[2] = momentum * kept[2]! + by;
        return p - 0.01 * kept[2];
      }, weightDecay);
      expectClose(await run((p) => new RMSprop(p, options)), expected);
    });
  }

  it("Adagrad", async () => {
    const expected = byHand(({ p, g, kept }) => {
      kept[0] = kept[0]! + g * g;
      return p - (0.1 * g) / (Math.sqrt(kept[0]) + 1e-10);
    }, 0.2);
    expectClose(await run((p) => new Adagrad(p, { learningRate: 0.1, weightDecay: 0.2 })), expected);
  });

  it("refuse what they cannot do", () => {
    using parameter = new Variable(tensor(start));
    expect(() => new SGD([parameter], { nesterov: true })).to.throw(
      RangeError,
      /nesterov needs a momentum above 0/,
    );
    expect(() => new RMSprop([parameter], { alpha: 0.9 } as never)).to.throw(
      UsageError,
      "no option alpha. Use decay.",
    );
    const integers = new Variable(tensor([1], { dtype: "i32" }));
    expect(() => new Adagrad([integers as never])).to.throw(
      UsageError,
      /parameter 0 is i32\. Train f32 parameters/,
    );
    integers.dispose();
  });

  it("resume exactly", async () => {
    const trained = async (breakAt: number): Promise<number[]> => {
      using parameter = new Variable(tensor(start));
      let optimizer = new RMSprop([parameter], { centered: true, momentum: 0.9 });
      for (let step = 0; step < 4; step++) {
        if (step === breakAt) {
          const saved = await optimizer.stateDict();
          optimizer.dispose();
          optimizer = new RMSprop([parameter], { centered: true, momentum: 0.9 });
          optimizer.loadStateDict(saved);
        }
        optimizer.step([tensor(gradientOf(step))]);
        await evaluate(...optimizer.variables);
      }
      optimizer.dispose();
      return [...(await parameter.data())];
    };
    expect(await trained(2)).to.deep.equal(await trained(9));
  });
});
