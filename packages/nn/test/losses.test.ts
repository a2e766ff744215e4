/** Losses against PyTorch's formulas in f64, and their gradients against central differences of these. */
import { compile, evaluate, grad, ShapeError, type Tensor, tensor } from "@ddad/tensor";
import { expect } from "chai";
import {
  bce,
  bceWithLogits,
  cosineLoss,
  cosineSimilarity,
  crossEntropy,
  huberLoss,
  klDiv,
  l1Loss,
  mseLoss,
  nllLoss,
  type Reduction,
  smoothL1Loss,
  squaredError,
} from "../src/losses/index.ts";
import { formula, largestDifference } from "./golden.ts";

const close = async (got: Tensor, expected: ArrayLike<number>, tolerance = 1e-5): Promise<void> => {
  expect(largestDifference(await got.data(), expected)).to.be.below(tolerance);
};

const indices = (values: number[], shape?: number[]): Tensor<"i32"> =>
  tensor(values, shape ?? [values.length], { dtype: "i32" });

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const reduced = (values: number[], reduction: Reduction): number[] =>
  reduction === "none" ? values : [sum(values) / (reduction === "mean" ? values.length : 1)];

const rows = (values: ArrayLike<number>, width: number): number[][] =>
  Array.from({ length: values.length / width }, (_, n) =>
    Array.from({ length: width }, (_, c) => values[n * width + c]!),
  );

const logSoftmax = (row: readonly number[]): number[] => {
  const largest = Math.max(...row);
  const log = largest + Math.log(sum(row.map((x) => Math.exp(x - largest))));
  return row.map((x) => x - log);
};

/** Value and gradient towards `x` of a loss (summed where it is not reduced) against `reference` in f64. */
async function check(
  x: Float32Array,
  shape: number[],
  loss: (x: Tensor) => Tensor,
  reference: (x: number[]) => number[],
): Promise<void> {
  const input = tensor(x, shape);
  const y = loss(input);
  const [gradient] = grad(y.size === 1 ? y : y.sum(), [input]);
  await evaluate(y, gradient!);
  await close(y, reference([...x]));
  const numeric = Array.from(x, (_, i) => {
    const at = (by: number) => sum(reference([...x].map((value, k) => (k === i ? value + by : value))));
    return (at(1e-5) - at(-1e-5)) / 2e-5;
  });
  await close(gradient!, numeric, 1e-4);
}

const reductions = ["mean", "sum", "none"] as const;

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
      /beta must be at least 0, but is -1/,
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

describe("crossEntropy", () => {
  const classes = 5;
  const logits = formula(6, 6 * classes, (u) => 4 * u);
  const labels = [0, 4, 2, -100, 1, 2];
  const weights = [0.5, 1, 2, 3, 0.25];

  /** PyTorch's, in f64. */
  function reference(
    x: number[],
    reduction: Reduction,
    weight = Array<number>(classes).fill(1),
    smoothing = 0,
    { of = labels, ignored = -100 } = {},
  ): number[] {
    const table = rows(x, classes).map(logSoftmax);
    const counted = of.map((label) => label !== ignored);
    const losses = table.map((row, n) => {
      if (!counted[n]) return 0;
      const exact = -weight[of[n]!]! * row[of[n]!]!;
      const spread = -sum(row.map((value, c) => weight[c]! * value));
      return (1 - smoothing) * exact + (smoothing / classes) * spread;
    });
    if (reduction === "none") return losses;
    if (reduction === "sum") return [sum(losses)];
    return [sum(losses) / sum(of.map((label, n) => (counted[n] ? weight[label]! : 0)))];
  }

  for (const reduction of reductions) {
    it(`with indices, ${reduction}: plain, weighted, smoothed, with leading axes`, async () => {
      const target = () => indices(labels);
      await check(
        logits,
        [6, classes],
        (x) => crossEntropy(x, target(), { reduction }),
        (x) => reference(x, reduction),
      );
      await check(
        logits,
        [6, classes],
        (x) => crossEntropy(x, target(), { reduction, weight: tensor(weights) }),
        (x) => reference(x, reduction, weights),
      );
      await check(
        logits,
        [2, 3, classes],
        (x) =>
          crossEntropy(x, indices(labels, [2, 3]), {
            ...{ reduction, weight: tensor(weights), labelSmoothing: 0.1 },
          }).reshape(reduction === "none" ? [6] : []),
        (x) => reference(x, reduction, weights, 0.1),
      );
      const others = [0, 2, 2, 3, 1, 2];
      await check(
        logits,
        [6, classes],
        (x) => crossEntropy(x, indices(others), { reduction, ignoreIndex: 2, weight: tensor(weights) }),
        (x) => reference(x, reduction, weights, 0, { of: others, ignored: 2 }),
      );
    });

    it(`with probabilities, ${reduction}`, async () => {
      const shares = rows(
        formula(7, 6 * classes, (u) => u + 1),
        classes,
      ).map((row) => row.map((value) => value / sum(row)));
      const target = () => tensor(shares.flat(), [6, classes]);
      for (const smoothing of [0, 0.2]) {
        await check(
          logits,
          [6, classes],
          (x) => crossEntropy(x, target(), { reduction, weight: tensor(weights), labelSmoothing: smoothing }),
          (x) =>
            reduced(
              rows(x, classes).map((row, n) => {
                const spread = (p: number) => p * (1 - smoothing) + smoothing / classes;
                return -sum(logSoftmax(row).map((value, c) => weights[c]! * spread(shares[n]![c]!) * value));
              }),
              reduction,
            ),
        );
      }
    });

    it(`is nllLoss of the logarithms, ${reduction}`, async () => {
      const log = rows(logits, classes).flatMap(logSoftmax);
      const loss = nllLoss(tensor(log, [6, classes]), indices(labels), {
        reduction,
        weight: tensor(weights),
      });
      await close(loss, reference([...logits], reduction, weights));
    });
  }

  it("neither overflows nor loses small losses", async () => {
    const x = tensor([1000, 0, 0, 1000, 8, 0], [3, 2]);
    const loss = crossEntropy(x, indices([0, 0, 0]), { reduction: "none" });
    const [, large, small] = await loss.data();
    expect(large).to.equal(1000);
    expect(small! / Math.log1p(Math.exp(-8))).to.be.closeTo(1, 1e-3);
  });

  it("takes a class that cannot be, where it is not the target", async () => {
    const x = tensor([1, Number.NEGATIVE_INFINITY, 2], [1, 3]);
    const loss = crossEntropy(x, indices([0]));
    const [gradient] = grad(loss, [x]);
    await evaluate(loss, gradient!);
    await close(loss, [Math.log1p(Math.E)]);
    await close(gradient!, [1 / (1 + Math.E) - 1, 0, Math.E / (1 + Math.E)]);
  });

  it("is NaN where an index is out of range, or where all are ignored", async () => {
    const x = () => tensor([1, 2, 3, 4], [2, 2]);
    for (const wrong of [2, -1, 1000]) {
      const losses = await crossEntropy(x(), indices([0, wrong]), { reduction: "none" }).data();
      expect(losses[0], String(wrong)).to.be.closeTo(Math.log1p(Math.E), 1e-5);
      expect(losses[1], String(wrong)).to.be.NaN;
    }
    expect(await crossEntropy(x(), indices([-100, -100])).item()).to.be.NaN;
    expect(await crossEntropy(x(), indices([-100, -100]), { reduction: "sum" }).item()).to.equal(0);
    const unsigned = tensor([1, 0], [2], { dtype: "u32" });
    await close(crossEntropy(x(), unsigned, { reduction: "none" }), [
      Math.log1p(1 / Math.E),
      Math.log1p(Math.E),
    ]);
  });

  it("runs one plan for any targets", async () => {
    const step = compile((x: Tensor, target: Tensor<"i32">) =>
      crossEntropy(x, target, { reduction: "none" }),
    );
    const x = tensor([1, 2, 3, 5], [2, 2]);
    await close(await step(x, indices([0, 0])), [Math.log1p(Math.E), Math.log1p(Math.exp(2))]);
    await close(await step(x, indices([1, 1])), [Math.log1p(1 / Math.E), Math.log1p(Math.exp(-2))]);
  });

  it("refuses shapes and options that do not fit", () => {
    const x = tensor([1, 2, 3, 4], [2, 2]);
    const refused = (message: string | RegExp, ...[target, options]: [Tensor | Tensor<"i32">, object?]) =>
      expect(() => crossEntropy(x, target, options)).to.throw(message as RegExp);
    refused("the target [3] must have the shape [2] of [2, 2] without its last axis", indices([0, 1, 1]));
    refused(
      'crossEntropy: the target f32 [2] must be probabilities of the logits\' shape [2, 2], or class indices i32 [2]: target.cast("i32").',
      tensor([0, 1]),
    );
    refused("weight must be [2], one for each class, but is [3]", indices([0, 1]), {
      weight: tensor([1, 2, 3]),
    });
    refused("labelSmoothing must be in 0 … 1, but is 2", indices([0, 1]), { labelSmoothing: 2 });
    refused("ignoreIndex is for class indices, but the target holds", tensor([0, 1, 1, 0], [2, 2]), {
      ignoreIndex: 0,
    });
    refused("there is no reduction max", indices([0, 1]), { reduction: "max" });
    expect(() => nllLoss(x, tensor([0, 1]) as never)).to.throw(
      /target must be class indices, i32 or u32, but is f32/,
    );
    expect(() => crossEntropy(tensor(1), indices([0]))).to.throw(
      /needs classes along the last axis, but .* are \[\]/,
    );
  });
});
