/** Attention with masks, causal, shared heads and empty operands against plain loops. */
import { uniformGenerator } from "@ddad/kernels-wgsl";
import * as t from "@ddad/tensor";
import { expect } from "chai";

const uniform = uniformGenerator(5);
const values = (shape: readonly number[]): number[] =>
  Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * uniform() - 1);

interface Setting {
  readonly images: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  readonly groups: number;
  readonly dimension: number;
  readonly width: number;
  /** What is added to the logit of query t and key s of head h. */
  readonly added?: (image: number, head: number, t: number, s: number) => number;
}

/** softmax(q kᵀ / √D + added) v in f64. */
function reference(q: number[], k: number[], v: number[], setting: Setting): number[] {
  const { images, queries, keys, heads, groups, dimension, width, added = () => 0 } = setting;
  const y: number[] = [];
  for (let n = 0; n < images; n++)
    for (let i = 0; i < queries; i++)
      for (let h = 0; h < heads; h++) {
        const group = Math.floor((h * groups) / heads);
        const weights = Array.from({ length: keys }, (_, j) => {
          let dot = 0;
          for (let d = 0; d < dimension; d++)
            dot +=
              q[((n * queries + i) * heads + h) * dimension + d]! *
              k[((n * keys + j) * groups + group) * dimension + d]!;
          return Math.exp(dot / Math.sqrt(dimension || 1) + added(n, h, i, j));
        });
        const total = weights.reduce((a, b) => a + b, 0);
        for (let d = 0; d < width; d++)
          y.push(
            weights.reduce(
              (sum, w, j) => sum + (w / total) * v[((n * keys + j) * groups + group) * width + d]!,
              0,
            ),
          );
      }
  return y;
}

const base: Setting = { images: 2, queries: 3, keys: 5, heads: 2, groups: 2, dimension: 4, width: 4 };

async function check(setting: Setting, options: t.AttentionOptions = {}): Promise<void> {
  const { images, queries, keys, heads, groups, dimension, width } = setting;
  const shapes = [
    [images, queries, heads, dimension],
    [images, keys, groups, dimension],
    [images, keys, groups, width],
  ] as const;
  const [q, k, v] = shapes.map((shape) => values(shape)) as [number[], number[], number[]];
  const y = t.attention(t.tensor(q, shapes[0]), t.tensor(k, shapes[1]), t.tensor(v, shapes[2]), options);
  expect(y.shape).to.deep.equal([images, queries, heads, width]);
  const got = [...(await y.data())];
  const expected = reference(q, k, v, setting);
  expect(got.length).to.equal(expected.length);
  expected.forEach((value, index) => {
    if (Number.isNaN(value)) expect(got[index], `element ${index}`).to.be.NaN;
    else expect(got[index], `element ${index}`).to.be.closeTo(value, 1e-5);
  });
}

const never = Number.NEGATIVE_INFINITY;
const bools = (list: readonly number[], shape: number[]): t.Tensor<"bool"> =>
  t.tensor([...list], shape, { dtype: "bool" });

describe("attention", () => {
  it("without options", () => check(base));
  it("causal", () => check({ ...base, added: (_n, _h, i, j) => (j > i ? never : 0) }, { causal: true }));
  it("with a mask of bool for every head", () =>
    check(
      { ...base, added: (_n, _h, i, j) => ((i + j) % 2 ? never : 0) },
      { mask: bools([1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1], [3, 5]) },
    ));
  it("with a mask of bool for each image", () =>
    check(
      { ...base, added: (n, _h, _i, j) => (j < 2 + n ? 0 : never) },
      { mask: bools([1, 1, 0, 0, 0, 1, 1, 1, 0, 0], [2, 1, 1, 5]) },
    ));
  it("with a mask that is added", () =>
    check(
      { ...base, added: (_n, h, _i, j) => h - j / 4 },
      { mask: t.tensor([0, -0.25, -0.5, -0.75, -1, 1, 0.75, 0.5, 0.25, 0], [2, 1, 5]) },
    ));
  it("gives NaN to a query that sees no key", () =>
    check({ ...base, added: (_n, _h, i) => (i === 1 ? never : 0) }, { mask: bools([1, 0, 1], [3, 1]) }));
  it("with fewer heads of key and value, and another width of value", () =>
    check(
      { ...base, heads: 6, groups: 2, width: 3, added: (_n, _h, i, j) => (j > i ? never : 0) },
      { causal: true },
    ));
  it("with one head of key and value for all", () => check({ ...base, heads: 3, groups: 1 }));
  it("with more numbers a head than the fused kernels take", () =>
    check({ ...base, dimension: 260, width: 260 }));

  it("of nothing", async () => {
    for (const change of [
      { images: 0 },
      { queries: 0 },
      { heads: 0, groups: 0 },
      { width: 0 },
      { dimension: 0 },
    ])
      await check({ ...base, ...change });
    const y = t.attention(t.ones([1, 2, 1, 3]), t.ones([1, 0, 1, 3]), t.ones([1, 0, 1, 3]));
    expect([...(await y.data())]).to.deep.equal([0, 0, 0, 0, 0, 0]); // as PyTorch: a sum over no keys
    expect(t.attentionPacked(t.ones([2, 0, 1, 6])).shape).to.deep.equal([2, 0, 1, 2]);
  });

  it("says what does not fit", () => {
    const [q, k] = [t.zeros([1, 3, 4, 2]), t.zeros([1, 5, 4, 2])];
    const mask: t.Tensor = t.zeros([4, 5]);
    const refused: [() => unknown, RegExp][] = [
      [
        () => t.attention(q, t.zeros([1, 5, 3, 2]), t.zeros([1, 5, 3, 2])),
        /heads of key must divide those of query/,
      ],
      [
        () => t.attention(q, k, t.zeros([1, 4, 4, 2])),
        /value must have the N, S and heads of key \[1, 5, 4, 2\]/,
      ],
      [() => t.attention(q, t.zeros([1, 5, 4, 3]), k), /key must have the N and D of query/],
      [() => t.attention(q, k, k, { mask }), /mask must broadcast to .* = \[1, 4, 3, 5\], but is \[4, 5\]/],
      [() => t.attention(t.zeros([3, 4, 2]), k, k), /query must be \[N, T, heads, D\] but is \[3, 4, 2\]/],
    ];
    for (const [fn, message] of refused) expect(fn).to.throw(t.ShapeError, message);
  });
});
