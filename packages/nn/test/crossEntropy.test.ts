/** Cross entropy against PyTorch's definition in f64, and its gradients against central differences. */
import { compile, evaluate, grad, type Tensor, tensor } from "@ddad/tensor";
import { expect } from "chai";
import { crossEntropy, nllLoss, type Reduction } from "../src/losses/index.ts";
import { formula } from "./golden.ts";
import { check, close, indices, logSoftmax, reduced, reductions, rows, sum } from "./lossReference.ts";

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
    refused("labelSmoothing must be in 0 … 1, but is the number 2", indices([0, 1]), { labelSmoothing: 2 });
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
