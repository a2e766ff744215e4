/** The plain training loop: `minimize`, and what people try instead. */
import { compile, evaluate, grad, type Tensor, tensor, UsageError, Variable } from "@ddad/tensor";
import { expect } from "chai";
import { HostRandom } from "../src/hostRandom.ts";
import { BatchNorm2d } from "../src/layers/batchNorm2d.ts";
import { Linear } from "../src/layers/linear.ts";
import { mseLoss } from "../src/losses/index.ts";
import { Module } from "../src/module.ts";
import { Adam, AdamW } from "../src/optim/adam.ts";
import { EMA } from "../src/optim/ema.ts";
import { SGD } from "../src/optim/sgd.ts";
import { formula, largestDifference } from "./golden.ts";

const linear = (): Linear => new Linear(3, 1, { random: new HostRandom(1) });
const x = (): Tensor => tensor(formula(1, 12), [4, 3]);
const lossOf = (net: Linear): Tensor => mseLoss(net.forward(x()), tensor([1, 2, 3, 4], [4, 1]));

const reasonOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => expect.fail("nothing was thrown"),
    (reason: unknown) => reason,
  );

describe("minimize", () => {
  it("is grad, step and evaluate", async () => {
    const results: number[][] = [];
    for (const short of [true, false]) {
      using net = linear();
      using ema = new EMA(net, { decay: 0.5 });
      using optimizer = new AdamW(net, { learningRate: 0.1, ema });
      const losses: number[] = [];
      for (let step = 0; step < 5; step++) {
        const loss = lossOf(net);
        if (short) {
          expect(await optimizer.minimize(step % 2 ? loss : () => loss)).to.equal(loss);
        } else {
          optimizer.step(grad(loss, optimizer.parameters));
          await evaluate(loss, ...optimizer.variables);
        }
        expect(loss.evaluated).to.equal(true);
        expect(optimizer.variables.some(({ pending }) => pending)).to.equal(false);
        losses.push(await loss.item());
      }
      results.push([...losses, ...(await net.weight.data()), ...(await ema.emaOf(net.weight)!.data())]);
    }
    expect(results[0]).to.deep.equal(results[1]);
    expect(results[0]![4]!).to.be.below(results[0]![0]!);
  });

  it("clips, and evaluates what else is asked for", async () => {
    using weight = new Variable(tensor([1, 1]));
    using optimizer = new SGD([weight], { learningRate: 1 });
    const doubled = weight.mul(2);
    await optimizer.minimize(weight.mul(tensor([30, 40])).sum(), { maxNorm: 5, also: [doubled] });
    expect(doubled.evaluated).to.equal(true);
    const [a, b] = await weight.data();
    expect(a).to.be.closeTo(1 - 3, 1e-5);
    expect(b).to.be.closeTo(1 - 4, 1e-5);
  });

  it("updates the running statistics of batch norms on the way to the loss, from a list of parameters too", async () => {
    using norm = new BatchNorm2d(2);
    using other = new BatchNorm2d(2);
    using optimizer = new SGD(norm.parameters(), { learningRate: 0.1 });
    const images = (): Tensor => tensor(formula(3, 16), [2, 2, 2, 2]);
    const elsewhere = other.forward(images());
    for (let step = 0; step < 3; step++) await optimizer.minimize(norm.forward(images()).square().sum());
    expect(norm.buffers().some(({ pending }) => pending)).to.equal(false);
    expect(await norm.numBatchesTracked.item()).to.equal(3);
    expect(other.buffers().every(({ pending }) => pending)).to.equal(true);
    await evaluate(elsewhere, ...other.buffers());
  });

  it("takes the step back where the evaluation fails", async () => {
    using net = linear();
    using optimizer = new Adam(net, { learningRate: 0.1 });
    const gone = tensor([1, 2]);
    const doubled = gone.mul(2);
    gone.dispose();
    const before = [...(await net.weight.data())];
    const reason = await reasonOf(optimizer.minimize(lossOf(net), { also: [doubled] }));
    expect((reason as Error).message).to.match(/was disposed of/);
    expect(optimizer.stepCount).to.equal(0);
    expect([...(await net.weight.data())]).to.deep.equal(before);
    await optimizer.minimize(lossOf(net));
    expect([...(await net.weight.data())]).not.to.deep.equal(before);
  });

  it("compiled takes the same steps", async () => {
    const results: number[][] = [];
    for (const compiled of [false, true]) {
      using norm = new BatchNorm2d(2);
      using optimizer = new AdamW(norm, { learningRate: (step) => 0.1 / (step + 1) });
      const lossAt = (images: Tensor): Tensor => norm.forward(images).mul(images).square().sum();
      const compiledStep = optimizer.compileStep(lossAt, { maxNorm: 0.5 });
      const losses: number[] = [];
      for (let step = 0; step < 4; step++) {
        const images = tensor(formula(step, 16), [2, 2, 2, 2]);
        const loss = compiled ? compiledStep(images) : optimizer.minimize(lossAt(images), { maxNorm: 0.5 });
        losses.push(await (await loss).item());
      }
      expect(optimizer.stepCount).to.equal(4);
      expect(await norm.numBatchesTracked.item()).to.equal(4);
      results.push([...losses, ...(await norm.weight.data()), ...(await norm.runningMean.data())]);
    }
    expect(largestDifference(results[1]!, results[0]!)).to.be.below(1e-6);
  });

  it("compiled, forgets a step that could not be recorded", async () => {
    using net = linear();
    using optimizer = new SGD(net);
    const step = optimizer.compileStep((input: Tensor) => net.forward(input.reshape([-1, 5])).sum());
    await reasonOf(step(x()));
    expect(optimizer.stepCount).to.equal(0);
  });

  it("says what to write where it cannot be used", async () => {
    using net = linear();
    using optimizer = new SGD(net, { learningRate: 1 });
    const notATensor = await reasonOf(optimizer.minimize(3 as unknown as Tensor));
    expect((notATensor as Error).message).to.equal(
      "SGD.minimize: the loss must be a Tensor but is the number 3; make one with tensor(…).",
    );
    const step = compile((input: Tensor) => {
      void optimizer.minimize(net.forward(input).sum()).catch((error: Error) => messages.push(error.message));
      return input;
    });
    const messages: string[] = [];
    await step(x());
    expect(messages[0]).to.match(/^SGD\.minimize: it cannot run inside compile\. Use optimizer\.compileStep/);
  });
});

describe("an optimiser refuses", () => {
  it("to train nothing, and says why that may be", () => {
    class Hidden extends Module {
      readonly #linear = linear();
      forward(input: Tensor): Tensor {
        return this.#linear.forward(input);
      }
      override dispose(): void {
        this.#linear.dispose();
      }
    }
    using hidden = new Hidden();
    expect(() => new AdamW(hidden)).to.throw(
      RangeError,
      /^AdamW: the module has no parameters to train\..*#private/,
    );
    using frozen = linear().freeze();
    expect(() => new SGD(frozen)).to.throw(RangeError, /Either all are frozen, or/);
    expect(() => new Adam([])).to.throw(
      RangeError,
      /^Adam: the list of parameters is empty\. Pass module\.param/,
    );
    expect(() => new Adam([frozen.parameters()] as never)).to.throw(
      UsageError,
      /parameter 0 is an array; spread it/,
    );
    expect(() => new Adam([frozen] as never)).to.throw(
      UsageError,
      /parameter 0 is no Variable; pass parameters/,
    );
  });

  it("options that it does not have, by the right name", () => {
    using net = linear();
    const made = (options: object) => () => new AdamW(net, options);
    expect(made({ lr: 0.1 })).to.throw(UsageError, "AdamW: there is no option lr. Use learningRate.");
    expect(made({ rate: 0.1 })).to.throw(UsageError, "AdamW: there is no option rate. Use learningRate.");
    expect(made({ betas: [0.9, 0.99] })).to.throw(UsageError, "no option betas. Use beta1 and beta2.");
    expect(made({ momentum: 0.9 })).to.throw(
      UsageError,
      "no option momentum. The options are learningRate, beta1, beta2, epsilon, weightDecay, ema.",
    );
    expect(() => new SGD(net, { lr: 1 } as never)).to.throw(
      UsageError,
      "SGD: there is no option lr. Use learn",
    );
  });

  it("a second step while the first is pending, but not inside compile", async () => {
    using net = linear();
    using optimizer = new SGD(net, { learningRate: 0.01 });
    const record = (): void => optimizer.step(grad(lossOf(net), optimizer.parameters));
    record();
    expect(record).to.throw(
      /^SGD\.step: the step before is recorded but not evaluated\. Await evaluate\(loss, \.\.\./,
    );
    const both = [optimizer.minimize(lossOf(net)), optimizer.minimize(lossOf(net))];
    expect(((await reasonOf(both[0]!)) as Error).message).to.match(
      /SGD\.minimize: the step before is recorded/,
    );
    await reasonOf(both[1]!);
    await evaluate(...optimizer.variables);
    const twice = compile((input: Tensor, control: Tensor) => {
      for (let step = 0; step < 2; step++) {
        optimizer.step(grad(net.forward(input).square().sum(), optimizer.parameters), { control });
      }
    });
    const before = [...(await net.weight.data())];
    await twice(x(), optimizer.control());
    expect([...(await net.weight.data())]).not.to.deep.equal(before);
    record();
    await evaluate(...optimizer.variables);
  });

  it("a step without gradients", () => {
    using net = linear();
    using optimizer = new SGD(net);
    expect(() => optimizer.step(undefined as never)).to.throw(
      UsageError,
      /^SGD\.step: it needs the gradients\. Write await optimizer\.minimize\(loss\), or optimizer\.step\(grad/,
    );
  });

  it("takes a learning rate or a schedule at any time", () => {
    using net = linear();
    using optimizer = new SGD(net, { learningRate: (step) => 1 / (step + 1) });
    expect(optimizer.learningRate).to.equal(1);
    optimizer.stepCount = 3;
    expect(optimizer.learningRate).to.equal(0.25);
    optimizer.learningRate = 0.5;
    expect(optimizer.learningRate).to.equal(0.5);
  });
});
