/** Every example, by its outcome. */
import { generateProcedural, toMask } from "@ddad/ddad";
import { type Kernel, prepareCase } from "@ddad/kernels-wgsl";
import { grad, ShapeError, sum, tensor } from "@ddad/nn";
import { expect } from "chai";
import { compare, runVariant } from "../packages/kernels-wgsl/test/harness.ts";
import { testDevice } from "../packages/tensor/test/device.hooks.ts";
import { captureWithValues, centralDifference } from "../packages/tensor/test/interpret.ts";
import { compileAStep } from "./compileAStep.ts";
import { denoiseAnImage } from "./denoiseAnImage.ts";
import { fitACurve } from "./fitACurve.ts";
import { tensorsAndGradients } from "./tensorsAndGradients.ts";
import { trainAndFindADefect } from "./trainAndFindADefect.ts";
import { kernel, logSumExp, writeAKernel } from "./writeAKernel.ts";

const close = (got: readonly number[], expected: readonly number[], tolerance: number): void => {
  expect(got).to.have.lengthOf(expected.length);
  for (const [index, value] of expected.entries()) expect(got[index]).to.be.closeTo(value, tolerance);
};

/** Milliseconds for what trains a UNet: SwiftShader takes several times as long as other software adapters. */
const slowAdapter = 600_000;

describe("examples", () => {
  it("tensorsAndGradients: value, gradient and its gradient as computed by hand", async () => {
    const { prediction, loss, gradient, ofItsSquare, plan, refusal } = await tensorsAndGradients();
    close(prediction, [4.5, 9], 1e-5);
    expect(loss).to.be.closeTo(30.625, 1e-4);
    close(gradient, [31.5, 42, 52.5], 1e-4);
    close(ofItsSquare, [5754, 7602, 9450], 0.05);
    expect(plan).to.contain("3 calls, 1 after fusion");
    expect(refusal).to.match(/^add: shapes \[2, 3\] and \[2\] do not broadcast/);
  });

  it("compileAStep: finds the weights, and records once for each combination of shapes", async () => {
    const { weight, stepsDone, recordings, firstLoss, lastLoss, lossOfOne } = await compileAStep();
    close(weight, [3, -2], 1e-4);
    expect(stepsDone).to.equal(41);
    expect(recordings).to.equal(2);
    expect(lastLoss).to.be.lessThan(1e-9 * firstLoss);
    expect(lossOfOne).to.be.closeTo(0, 1e-8);
  });

  it("writeAKernel: values and gradient, where exp alone would overflow", async () => {
    const { y, gradient } = await writeAKernel();
    close(y, [Math.log(6), 1000 + Math.log(3)], 1e-3);
    close(gradient, [1 / 6, 1 / 3, 1 / 2, 1 / 3, 1 / 3, 1 / 3], 1e-6);
  });

  it("fitACurve: the curve is learnt, also between the points", async () => {
    const { losses, error, names } = await fitACurve();
    expect(losses.at(-1)).to.be.lessThan(1e-3);
    expect(losses[0]).to.be.greaterThan(0.3);
    expect(error).to.be.lessThan(0.05);
    expect(names).to.deep.equal(["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"]);
  });

  it("denoiseAnImage: at least nine tenths of the noise are gone", async function () {
    this.timeout(slowAdapter);
    const { losses, before, after } = await denoiseAnImage();
    expect(losses[0]).to.be.within(0.8, 1.3); // at first it predicts no noise at all
    expect(before).to.be.within(0.4, 0.7);
    expect(after).to.be.lessThan(0.1 * before);
  });

  it("trainAndFindADefect: defective tiles score above all good ones, and the map is highest on the defect", async function () {
    this.timeout(slowAdapter);
    const { threshold, verdicts } = await trainAndFindADefect();
    const good = verdicts.filter(({ id }) => id.includes("/good/"));
    const defective = verdicts.filter(({ id }) => !id.includes("/good/"));
    const highestGood = Math.max(...good.map(({ score }) => score));
    expect(defective).to.have.lengthOf(4);
    for (const { id, score } of defective) {
      expect(score, id).to.be.greaterThan(threshold);
      expect(score, id).to.be.greaterThan(1.2 * highestGood);
    }
    expect(good.filter((verdict) => verdict.defective).length, "false alarms").to.be.at.most(1);
    const samples = generateProcedural({
      category: "tile",
      size: 32,
      train: 0,
      testGood: 0,
      testPerDefect: 1,
    });
    for (const { kind, mask } of samples) {
      const { x, y } = verdicts.find(({ id }) => id.includes(`/${kind}/`))!;
      const truth = toMask(mask!, 16, 16);
      const near = [-1, 0, 1].some((dy) => [-1, 0, 1].some((dx) => truth[(y + dy) * 16 + x + dx]));
      expect(near, `the highest point of the map of the ${kind}, (${x}, ${y})`).to.equal(true);
    }
  });
});

describe("the kernel of writeAKernel", () => {
  for (const example of kernel.cases) {
    it(example.name, async () => {
      const { gpu, capabilities } = testDevice();
      const plain = kernel as unknown as Kernel;
      const { call, values } = prepareCase(plain, example);
      const got = await runVariant(gpu, capabilities, plain, plain.variants[0]!, call, values);
      compare("logSumExp", got["y"]!, plain.reference(values, call)["y"]!, "f32", 1e-5);
    });
  }

  it("refuses what its shape rule excludes", () => {
    for (const { inputs, attrs, message } of kernel.refusals) {
      expect(() => prepareCase(kernel as unknown as Kernel, { inputs, attrs })).to.throw(ShapeError, message);
    }
  });

  it("has the gradient of its reference", async () => {
    const x = tensor([0.3, -1.2, 2.5, 0.1, 0.2, -0.7], [2, 3]);
    const loss = sum(logSumExp(x).mul(tensor([1, -2])));
    const { leaves, values, run } = await captureWithValues([loss]);
    const got = await grad(loss, [x])[0]!.data();
    for (let index = 0; index < x.size; index++) {
      expect(got[index]).to.be.closeTo(centralDifference(run, values, leaves.indexOf(x), index), 1e-5);
    }
  });
});
