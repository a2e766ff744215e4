/** Optimiser, clipping, schedule and average at work on one network: training, saving, resuming, compiling. */
import { compile, evaluate, grad, type Tensor, tensor } from "@ddad/tensor";
import { expect } from "chai";
import { readSafetensors, writeSafetensors } from "../src/checkpoint/safetensors.ts";
import { StateDictError } from "../src/errors.ts";
import { HostRandom } from "../src/hostRandom.ts";
import { SiLU } from "../src/layers/activations.ts";
import { Linear } from "../src/layers/linear.ts";
import { Sequential } from "../src/layers/sequential.ts";
import { mseLoss } from "../src/losses/index.ts";
import { AdamW } from "../src/optim/adam.ts";
import { clipGradientNorm } from "../src/optim/clip.ts";
import { EMA } from "../src/optim/ema.ts";
import { warmupCosine } from "../src/optim/schedules.ts";
import { formula, largestDifference } from "./golden.ts";

/** A small network, its optimiser with average, and a fixed problem. */
class Training {
  readonly net = new Sequential(
    new Linear(3, 8, { random: new HostRandom(1) }),
    new SiLU(),
    new Linear(8, 2, { random: new HostRandom(2) }),
  );
  readonly average = new EMA(this.net, { decay: 0.9 });
  readonly optimizer = new AdamW(this.net, {
    learningRate: warmupCosine({ peak: 0.05, warmup: 2, steps: 20 }),
    ema: this.average,
  });

  loss(step: number): Tensor {
    const x = tensor(formula(100 + step, 12), [4, 3]);
    return this.lossOf(x);
  }

  lossOf(x: Tensor): Tensor {
    return mseLoss(this.net.forward(x), x.sum(1, { keepDims: true }).mul(tensor([1, -1])));
  }

  async step(step: number): Promise<number> {
    const loss = this.loss(step);
    const gradients = grad(loss, this.optimizer.parameters);
    this.optimizer.step(gradients, { gradientScale: clipGradientNorm(gradients, 1).scale });
    await evaluate(loss, ...this.optimizer.variables);
    return loss.item();
  }

  [Symbol.dispose](): void {
    this.optimizer.dispose();
    this.average.dispose();
    this.net.dispose();
  }
}

describe("training", () => {
  it("learns, and the average follows", async () => {
    using training = new Training();
    const losses: number[] = [];
    for (let step = 0; step < 20; step++) losses.push(await training.step(step));
    expect(losses.at(-1)!).to.be.below(losses[0]! / 4);
    const before = await training.loss(0).item();
    await training.average.swap();
    const averaged = await training.loss(0).item();
    await training.average.swap();
    expect(await training.loss(0).item()).to.equal(before);
    expect(averaged).not.to.equal(before);
    expect(averaged).to.be.below(losses[0]!);
  });

  it("resumes exactly from what was saved", async () => {
    using whole = new Training();
    for (let step = 0; step < 8; step++) await whole.step(step);

    using first = new Training();
    for (let step = 0; step < 4; step++) await first.step(step);
    const saved = [
      await first.net.stateDict(),
      await first.optimizer.stateDict(),
      await first.average.stateDict(),
    ];
    using second = new Training();
    const [net, optimizer, average] = saved.map((dict) => readSafetensors(writeSafetensors(dict)));
    second.net.loadStateDict(net!);
    second.optimizer.loadStateDict(optimizer!);
    second.average.loadStateDict(average!);
    expect(second.optimizer.stepCount).to.equal(4);
    for (let step = 4; step < 8; step++) await second.step(step);

    expect(await second.net.stateDict()).to.deep.equal(await whole.net.stateDict());
    expect(await second.optimizer.stateDict()).to.deep.equal(await whole.optimizer.stateDict());
    expect(await second.average.stateDict()).to.deep.equal(await whole.average.stateDict());
  });

  it("compiled is the same training", async () => {
    using plain = new Training();
    using fast = new Training();
    await evaluate(...fast.average.variables);
    const step = compile((x: Tensor, control: Tensor) => {
      const loss = fast.lossOf(x);
      const gradients = grad(loss, fast.optimizer.parameters);
      fast.optimizer.step(gradients, { control, gradientScale: clipGradientNorm(gradients, 1).scale });
      return loss;
    });
    for (let k = 0; k < 4; k++) {
      const expected = await plain.step(k);
      const loss = await step(tensor(formula(100 + k, 12), [4, 3]), fast.optimizer.control());
      expect(await loss.item()).to.be.closeTo(expected, 1e-6 * expected);
    }
    const [a, b] = [await plain.average.stateDict(), await fast.average.stateDict()];
    for (const [name, { data }] of a) {
      expect(largestDifference(b.get(name)!.data as Float32Array, data as Float32Array), name).to.be.below(
        1e-6,
      );
    }
  });

  it("names what is missing from a saved optimiser", async () => {
    using training = new Training();
    const saved = await training.optimizer.stateDict();
    expect([...saved.keys()].slice(0, 3)).to.deep.equal([
      "step",
      "first_moment.0.weight",
      "first_moment.0.bias",
    ]);
    expect(saved.get("first_moment.0.weight")!.shape).to.deep.equal([8, 3]);
    saved.delete("second_moment.2.bias");
    expect(() => training.optimizer.loadStateDict(saved)).to.throw(
      StateDictError,
      /missing: "second_moment.2.bias" \[2\]/,
    );
    saved.delete("step");
    expect(() => training.optimizer.loadStateDict(saved)).to.throw(StateDictError, /missing: "step"/);
  });
});
