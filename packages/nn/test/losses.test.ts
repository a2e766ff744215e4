/** Losses against PyTorch's formulas in f64, and their gradients against central differences of these. */
import { evaluate, grad, ShapeError, type Tensor, tensor } from "@ddad/tensor";
import { expect } from "chai";
import {
  bce,
  bceWithLogits,
  cosineLoss,
  cosineSimilarity,
  huberLoss,
  klDiv,
  l1Loss,
  mseLoss,
  smoothL1Loss,
  squaredError,
} from "../src/losses/index.ts";
import { formula } from "./golden.ts";
import { check, close, reduced, reductions, sum } from "./lossReference.ts";

describe("losses of numbers", () => {
  const prediction = () => tensor([1, 2, 3, 4], [2, 2]);
  const target = () => tensor([1, 0, 0, 0], [2, 2]);

  it("mean and sum of squares and of absolute differences", async () => {
    await close(squaredError(prediction(), target()), [0, 4, 9, 16]);
    await close(mseLoss(prediction(), target()), [29 / 4]);
    await close(mseLoss(prediction(), target(), { reduction: "sum" }), [29]);
    await close(mseLoss(prediction(), target(), { reduction: "none" }), [0, 4, 9, 16]);
    await close(l1Loss(prediction(), target()), [9 / 4]);
    await close(l1Loss(prediction(), tensor(1), { reduction: "sum" }), [6]);
  });

  it("cosine along the last axis, and along any", async () => {
    const other = tensor([2, 0, 4, -3], [2, 2]);
    await close(cosineLoss(prediction(), other, { reduction: "sum" }), [2 - 1 / Math.sqrt(5)]);
    await close(cosineLoss(prediction(), other), [1 - 0.5 / Math.sqrt(5)]);
    await close(cosineSimilarity(prediction(), other), [1 / Math.sqrt(5), 0], 1e-6);
    const columns = [14 / Math.sqrt(10 * 20), -12 / Math.sqrt(20 * 9)];
    await close(cosineSimilarity(prediction(), other, { axis: 0 }), columns);
    const zero = tensor([0, 0]);
    const similarity = cosineSimilarity(zero, tensor([3, 4]));
    const [gradient] = grad(similarity, [zero]);
    await close(similarity.add(1), [1]);
    expect([...(await gradient!.data())].every(Number.isFinite)).to.equal(true);
  });

  const x = formula(1, 12, (u) => 3 * u);
  const t = formula(2, 12);
  for (const reduction of reductions) {
    it(`huber and smooth L1, ${reduction}`, async () => {
      const distances = (values: number[]) => values.map((value, i) => Math.abs(value - t[i]!));
      await check(
        x,
        [3, 4],
        (input) => huberLoss(input, tensor(t, [3, 4]), { delta: 1.5, reduction }),
        (values) =>
          reduced(
            distances(values).map((d) => (d <= 1.5 ? d * d * 0.5 : 1.5 * (d - 0.75))),
            reduction,
          ),
      );
      await check(
        x,
        [3, 4],
        (input) => smoothL1Loss(input, tensor(t, [3, 4]), { beta: 0.5, reduction }),
        (values) =>
          reduced(
            distances(values).map((d) => (d < 0.5 ? d * d : d - 0.25)),
            reduction,
          ),
      );
    });
  }

  it("smooth L1 with β = 0 is L1", async () => {
    await close(smoothL1Loss(prediction(), target(), { beta: 0 }), [9 / 4]);
  });

  it("refuse shapes that would broadcast, and options out of range", () => {
    const message = /the prediction is \[2, 2\] but the target is \[2\]\. Reshape one of them/;
    for (const loss of [mseLoss, l1Loss, huberLoss, smoothL1Loss, klDiv, bce, bceWithLogits]) {
      expect(() => loss(prediction(), tensor([1, 2])), loss.name).to.throw(ShapeError, message);
    }
    expect(() => huberLoss(prediction(), target(), { delta: 0 })).to.throw(
      /delta must be positive, but is 0/,
    );
    expect(() => smoothL1Loss(prediction(), target(), { beta: -1 })).to.throw(
      /beta must be a number from 0 on, but is the number -1/,
    );
    expect(() => mseLoss(prediction(), target(), { reduction: "max" as never })).to.throw(
      "mseLoss: there is no reduction max. Use mean, sum, none.",
    );
  });
});

describe("losses of decisions", () => {
  const logits = formula(3, 12, (u) => 6 * u);
  const t = formula(4, 12, (u) => (u + 1) / 2);
  const weights = formula(5, 4, (u) => u + 1.5);
  const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

  for (const reduction of reductions) {
    it(`bce and bceWithLogits, ${reduction}`, async () => {
      const values = (z: number[], posWeight: (i: number) => number) =>
        z.map((value, i) => {
          const [p, target] = [sigmoid(value), t[i]!];
          return -weights[i % 4]! * (posWeight(i) * target * Math.log(p) + (1 - target) * Math.log1p(-p));
        });
      const weight = () => tensor(weights);
      await check(
        logits,
        [3, 4],
        (z) => bce(z.sigmoid(), tensor(t, [3, 4]), { weight: weight(), reduction }),
        (z) =>
          reduced(
            values(z, () => 1),
            reduction,
          ),
      );
      await check(
        logits,
        [3, 4],
        (z) =>
          bceWithLogits(z, tensor(t, [3, 4]), { weight: weight(), posWeight: weight().mul(2), reduction }),
        (z) =>
          reduced(
            values(z, (i) => 2 * weights[i % 4]!),
            reduction,
          ),
      );
    });
  }

  it("bce is bounded where a probability is 0 or 1, as PyTorch's", async () => {
    const p = tensor([0, 1, 0, 1]);
    const loss = bce(p, tensor([0, 1, 1, 0]), { reduction: "none" });
    const [gradient] = grad(loss.sum(), [p]);
    await evaluate(loss, gradient!);
    expect([...(await loss.data())].map(Math.abs)).to.deep.equal([0, 0, 100, 100]);
    await close(gradient!, [0, 0, -1e12, 1e12]);
  });

  it("bceWithLogits neither overflows nor loses small losses", async () => {
    const z = tensor([-200, 200, 200, -200, 12, 0]);
    const loss = bceWithLogits(z, tensor([0, 1, 0, 1, 1, 1]), { reduction: "none" });
    const [gradient] = grad(loss.sum(), [z]);
    await evaluate(loss, gradient!);
    await close(loss, [0, 0, 200, 200, Math.log1p(Math.exp(-12)), Math.log(2)]);
    await close(gradient!, [0, 0, 1, -1, -sigmoid(-12), -0.5]);
  });

  it("klDiv of probabilities and of their logarithms", async () => {
    const target = [0.2, 0.8, 0, 1];
    const terms = (log: number[]) => target.map((p, i) => (p === 0 ? 0 : p * (Math.log(p) - log[i]!)));
    const x = Float32Array.from([-1, -0.5, -2, -0.1]);
    for (const reduction of reductions) {
      const loss = (log: Tensor) => klDiv(log, tensor(target, [2, 2]), { reduction });
      await check(x, [2, 2], loss, (log) => reduced(terms(log), reduction));
    }
    await close(klDiv(tensor(x, [2, 2]), tensor(target, [2, 2]), { reduction: "batchMean" }), [
      sum(terms([...x])) / 2,
    ]);
    const log = tensor([0.3, 0.7], [1, 2]).log();
    const both = klDiv(tensor([-1, -2], [1, 2]), log, { reduction: "sum", logTarget: true });
    await close(both, [0.3 * (Math.log(0.3) + 1) + 0.7 * (Math.log(0.7) + 2)]);
    expect(() => klDiv(log, log, { reduction: "batch" as never })).to.throw(/Use mean, batchMean, sum, none/);
  });
});
