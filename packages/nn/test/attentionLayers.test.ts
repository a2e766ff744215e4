/** Norms of tokens, attention with several heads against their formulas in f64. */
import { evaluate, grad, ShapeError, type Tensor, tensor } from "@ddad/tensor";
import { expect } from "chai";
import { HostRandom } from "../src/hostRandom.ts";
import { setSeed } from "../src/init.ts";
import { MultiheadAttention } from "../src/layers/multiheadAttention.ts";
import { InstanceNorm2d, LayerNorm, RMSNorm } from "../src/layers/norms.ts";
import type { StateDict } from "../src/stateDict.ts";
import { formula, largestDifference } from "./golden.ts";

const close = async (got: Tensor, expected: ArrayLike<number>, tolerance = 1e-5): Promise<void> => {
  expect(largestDifference(await got.data(), expected)).to.be.below(tolerance);
};

/** Values in runs of `length`, each normalised. */
function normalised(values: ArrayLike<number>, length: number, epsilon: number): number[] {
  return Array.from({ length: values.length / length }, (_, run) => {
    const part = Array.from({ length }, (_, k) => values[run * length + k]!);
    const mean = part.reduce((a, b) => a + b) / length;
    const variance = part.reduce((sum, v) => sum + (v - mean) ** 2, 0) / length;
    return part.map((v) => (v - mean) / Math.sqrt(variance + epsilon));
  }).flat();
}

describe("norms", () => {
  const x = formula(1, 2 * 3 * 4);

  it("LayerNorm over the last axis, and over several", async () => {
    using layer = new LayerNorm(4);
    layer.weight!.assign(tensor([1, 2, 3, 4]));
    layer.bias!.assign(tensor([0, 0, 1, 1]));
    const plain = normalised(x, 4, 1e-5);
    await close(
      layer.forward(tensor(x, [2, 3, 4])),
      plain.map((v, k) => v * ((k % 4) + 1) + (k % 4 > 1 ? 1 : 0)),
    );
    using both = new LayerNorm([3, 4], { bias: false, epsilon: 1e-3 });
    expect([...both.namedState().keys()]).to.deep.equal(["weight"]);
    expect(both.weight!.shape).to.deep.equal([3, 4]);
    await close(both.forward(tensor(x, [2, 3, 4])), normalised(x, 12, 1e-3));
    expect(new LayerNorm(4, { affine: false }).namedState().size).to.equal(0);
  });

  it("RMSNorm, with PyTorch's epsilon", async () => {
    using layer = new RMSNorm(4);
    layer.weight!.assign(tensor([1, 2, 3, 4]));
    const tiny = formula(2, 8, (u) => 1e-3 * u);
    const expected = [0, 1].flatMap((row) => {
      const part = [...tiny.subarray(4 * row, 4 * row + 4)];
      const root = Math.sqrt(part.reduce((sum, v) => sum + v * v, 0) / 4 + 2 ** -23);
      return part.map((v, k) => (v / root) * (k + 1));
    });
    await close(layer.forward(tensor(tiny, [2, 4])), expected);
  });

  it("InstanceNorm2d has parameters only where it is asked to", async () => {
    const layer = new InstanceNorm2d(4);
    expect(layer.namedState().size).to.equal(0);
    const channelsLast = (values: ArrayLike<number>) =>
      Array.from({ length: 24 }, (_, k) => {
        const [n, pixel, c] = [Math.floor(k / 12), Math.floor(k / 4) % 3, k % 4];
        return values[(n * 4 + c) * 3 + pixel]!;
      });
    const input = tensor(channelsLast(x), [2, 1, 3, 4]);
    await close(layer.forward(input), channelsLast(normalised(x, 3, 1e-5)));
    using affine = new InstanceNorm2d(4, { affine: true });
    expect([...affine.namedState().keys()]).to.deep.equal(["weight", "bias"]);
  });
});

/** PyTorch's nn.MultiheadAttention by its state dict, in f64; `allowed` tells what query t sees. */
function reference(
  dict: StateDict,
  heads: number,
  [query, key, value]: readonly number[][][],
  allowed: (t: number, s: number) => boolean,
): number[][] {
  const matrix = (name: string): number[][] => {
    const { shape, data } = dict.get(name)!;
    const columns = shape[1] ?? 1;
    return Array.from({ length: shape[0]! }, (_, row) =>
      Array.from({ length: columns }, (_, column) => Number(data[row * columns + column]!)),
    );
  };
  const features = query![0]!.length;
  const project = (rows: number[][], weight: number[][], bias: number[] | undefined): number[][] =>
    rows.map((row) => weight.map((w, k) => w.reduce((sum, v, c) => sum + v * row[c]!, bias?.[k] ?? 0)));
  const bias = dict.has("in_proj_bias") ? matrix("in_proj_bias").flat() : undefined;
  const [q, k, v] = [query!, key!, value!].map((rows, part) => {
    const weight = dict.has("in_proj_weight")
      ? matrix("in_proj_weight").slice(part * features, (part + 1) * features)
      : matrix(`${"qkv"[part]}_proj_weight`);
    return project(rows, weight, bias?.slice(part * features, (part + 1) * features));
  });
  const width = features / heads;
  const attended = q!.map((row, t) =>
    Array.from({ length: heads }, (_, head) => {
      const at = (values: number[]): number[] => values.slice(head * width, (head + 1) * width);
      const own = at(row);
      const weights = k!.map((other, s) =>
        allowed(t, s)
          ? Math.exp(at(other).reduce((sum, x, c) => sum + x * own[c]!, 0) / Math.sqrt(width))
          : 0,
      );
      const total = weights.reduce((a, b) => a + b);
      return Array.from({ length: width }, (_, c) =>
        weights.reduce((sum, weight, s) => sum + (weight / total) * at(v![s]!)[c]!, 0),
      );
    }).flat(),
  );
  const outBias = dict.has("out_proj.bias") ? matrix("out_proj.bias").flat() : undefined;
  return project(attended, matrix("out_proj.weight"), outBias);
}

describe("MultiheadAttention", () => {
  const [n, t, s, features, heads] = [2, 3, 4, 8, 2];
  const random = () => new HostRandom(2);
  const table = (values: Float32Array, steps: number, width: number): number[][][] =>
    Array.from({ length: n }, (_, i) =>
      Array.from({ length: steps }, (_, row) =>
        Array.from({ length: width }, (_, c) => values[(i * steps + row) * width + c]!),
      ),
    );
  const x = formula(5, n * t * features);
  const input = () => tensor(x, [n, t, features]);
  const everything = (): boolean => true;
  const self = (dict: StateDict, allowed = everything as (t: number, s: number) => boolean): number[] =>
    table(x, t, features).flatMap((rows) => reference(dict, heads, [rows, rows, rows], allowed).flat());

  it("has PyTorch's names and shapes", async () => {
    using layer = new MultiheadAttention(features, heads, { random: random() });
    const shapes = [...(await layer.stateDict())].map(([name, { shape }]) => [name, shape]);
    expect(shapes).to.deep.equal([
      ["in_proj_weight", [24, 8]],
      ["in_proj_bias", [24]],
      ["out_proj.weight", [8, 8]],
      ["out_proj.bias", [8]],
    ]);
    using other = new MultiheadAttention(features, heads, { keySize: 5, valueSize: 6, bias: false });
    const others = [...(await other.stateDict())].map(([name, { shape }]) => [name, shape]);
    expect(others).to.deep.equal([
      ["q_proj_weight", [8, 8]],
      ["k_proj_weight", [8, 5]],
      ["v_proj_weight", [8, 6]],
      ["out_proj.weight", [8, 8]],
    ]);
  });

  it("attends to itself, whole, masked and causal", async () => {
    using layer = new MultiheadAttention(features, heads, { random: random() });
    layer.inProjBias!.assign(tensor(formula(6, 3 * features)));
    layer.outProj.bias!.assign(tensor(formula(7, features)));
    const dict = await layer.stateDict();
    await close(layer.forward(input()), self(dict));
    const causal = layer.forward(input(), undefined, undefined, { causal: true });
    await close(
      causal,
      self(dict, (row, column) => column <= row),
    );
    const seen = [true, false, true, true, true, false, false, true, true];
    const mask = tensor(seen, [1, 1, t, t]);
    const masked = layer.forward(input(), undefined, undefined, { mask });
    await close(
      masked,
      self(dict, (row, column) => seen[row * t + column]!),
    );
    const added = tensor(
      seen.map((value) => (value ? 0 : -1e9)),
      [t, t],
    );
    await close(layer.forward(input(), undefined, undefined, { mask: added }), await masked.data());
  });

  it("attends to others, with features of their own", async () => {
    using layer = new MultiheadAttention(features, heads, { keySize: 5, valueSize: 6, random: random() });
    layer.inProjBias!.assign(tensor(formula(6, 3 * features)));
    const [key, value] = [formula(8, n * s * 5), formula(9, n * s * 6)];
    const y = layer.forward(input(), tensor(key, [n, s, 5]), tensor(value, [n, s, 6]));
    const dict = await layer.stateDict();
    const rows = [table(x, t, features), table(key, s, 5), table(value, s, 6)];
    const expected = [0, 1].flatMap((i) =>
      reference(
        dict,
        heads,
        rows.map((all) => all[i]!),
        everything,
      ).flat(),
    );
    await close(y, expected);
    using memory = new MultiheadAttention(features, heads, { random: random() });
    const other = formula(10, n * s * features);
    const memoryDict = await memory.stateDict();
    await close(
      memory.forward(input(), tensor(other, [n, s, features])),
      [0, 1].flatMap((i) => {
        const keys = table(other, s, features)[i]!;
        return reference(memoryDict, heads, [table(x, t, features)[i]!, keys, keys], everything).flat();
      }),
    );
  });

  it("is the same with the weights kept for dropout, and drops in training only", async () => {
    using layer = new MultiheadAttention(features, heads, { dropout: 0.5, random: random() });
    const run = async () => [...(await layer.forward(input()).data())];
    setSeed(1);
    expect(await run()).not.to.deep.equal(await run());
    let sum = Array<number>(n * t * features).fill(0);
    for (let k = 0; k < 100; k++) sum = (await run()).map((value, i) => sum[i]! + value / 100);
    layer.eval();
    expect(largestDifference(sum, await run())).to.be.below(0.3); // a mean of 100
    await close(layer.forward(input()), self(await layer.stateDict()));
  });

  it("trains all its parameters", async () => {
    using layer = new MultiheadAttention(features, heads, { random: random() });
    const plain = grad(layer.forward(input()).square().sum(), layer.parameters());
    const masked = grad(
      layer
        .forward(input(), undefined, undefined, { mask: tensor(Array(t).fill(true)) })
        .square()
        .sum(),
      layer.parameters(),
    );
    await evaluate(...plain, ...masked);
    for (const [k, gradient] of plain.entries()) {
      const values = await gradient.data();
      expect(
        values.some((value) => Math.abs(value) > 1e-4),
        String(k),
      ).to.equal(true);
      await close(masked[k]!, values, 1e-4);
    }
  });

  it("refuses what does not fit", () => {
    expect(() => new MultiheadAttention(8, 3)).to.throw(
      RangeError,
      /heads must divide features \(8\), but is 3/,
    );
    using layer = new MultiheadAttention(8, 2);
    expect(() => layer.forward(tensor(x))).to.throw(ShapeError, /query must be \[N, T, 8\], but is \[48\]/);
  });
});
