/** LSTM, GRU and Embedding against their formulas in f64, written out as PyTorch documents them. */
import { evaluate, grad, ShapeError, type Tensor, tensor } from "@ddad/tensor";
import { expect } from "chai";
import { HostRandom } from "../src/hostRandom.ts";
import { Embedding } from "../src/layers/embedding.ts";
import { GRU } from "../src/layers/gru.ts";
import { LSTM } from "../src/layers/lstm.ts";
import type { StateDict } from "../src/stateDict.ts";
import { formula, largestDifference } from "./golden.ts";

const close = async (got: Tensor, expected: ArrayLike<number>, tolerance = 1e-5): Promise<void> => {
  expect(largestDifference(await got.data(), expected)).to.be.below(tolerance);
};

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

type Matrix = number[][];

/** PyTorch's weight [rows, columns] times x, plus a bias. */
const affine = (weight: Matrix, x: number[], bias: number[] | undefined): number[] =>
  weight.map((row, k) => row.reduce((sum, w, c) => sum + w * x[c]!, bias?.[k] ?? 0));

class Reference {
  readonly weights: Record<string, Matrix> = {};
  readonly hidden: number;
  readonly kind: "LSTM" | "GRU";

  constructor(kind: "LSTM" | "GRU", hidden: number, dict: StateDict) {
    this.kind = kind;
    this.hidden = hidden;
    for (const [name, { shape, data }] of dict) {
      const columns = shape[1] ?? 1;
      this.weights[name] = Array.from({ length: shape[0]! }, (_, row) =>
        Array.from({ length: columns }, (_, column) => Number(data[row * columns + column]!)),
      );
    }
  }

  cell(suffix: string, x: number[], h: number[], c: number[]): [h: number[], c: number[]] {
    const bias = (kind: string) => this.weights[`bias_${kind}_${suffix}`]?.map(([value]) => value!);
    const input = affine(this.weights[`weight_ih_${suffix}`]!, x, bias("ih"));
    const own = affine(this.weights[`weight_hh_${suffix}`]!, h, bias("hh"));
    const at = (gate: number, k: number): [number, number] => [
      input[gate * this.hidden + k]!,
      own[gate * this.hidden + k]!,
    ];
    const both = (gate: number, k: number): number => at(gate, k)[0] + at(gate, k)[1];
    if (this.kind === "LSTM") {
      const next = c.map(
        (value, k) => sigmoid(both(1, k)) * value + sigmoid(both(0, k)) * Math.tanh(both(2, k)),
      );
      return [next.map((value, k) => sigmoid(both(3, k)) * Math.tanh(value)), next];
    }
    const next = h.map((value, k) => {
      const n = Math.tanh(at(2, k)[0] + sigmoid(both(0, k)) * at(2, k)[1]);
      const z = sigmoid(both(1, k));
      return (1 - z) * n + z * value;
    });
    return [next, c];
  }

  /** One sequence [T][C] through all layers; `initial` gives h and c of each layer and direction. */
  run(
    sequence: Matrix,
    layers: number,
    directions: number,
    initial: (place: number) => [h: number[], c: number[]],
  ): { output: Matrix; last: [number[], number[]][] } {
    let features = sequence;
    const last: [number[], number[]][] = [];
    for (let layer = 0; layer < layers; layer++) {
      const outputs: Matrix[] = [];
      for (let direction = 0; direction < directions; direction++) {
        let [h, c] = initial(layer * directions + direction);
        const hidden: Matrix = [];
        for (const x of direction ? features.toReversed() : features) {
          [h, c] = this.cell(`l${layer}${direction ? "_reverse" : ""}`, x, h, c);
          hidden.push(h);
        }
        last.push([h, c]);
        outputs.push(direction ? hidden.toReversed() : hidden);
      }
      features = features.map((_, t) => outputs.flatMap((output) => output[t]!));
    }
    return { output: features, last };
  }
}

const [n, steps, inputs, hidden] = [2, 5, 3, 4];
const x = formula(1, n * steps * inputs);
const sequences = (values: ArrayLike<number>): Matrix[] =>
  Array.from({ length: n }, (_, i) =>
    Array.from({ length: steps }, (_, t) =>
      Array.from({ length: inputs }, (_, c) => values[(i * steps + t) * inputs + c]!),
    ),
  );

describe("recurrent networks", () => {
  for (const kind of ["LSTM", "GRU"] as const) {
    const make = (options: object) => {
      const random = new HostRandom(3);
      return kind === "LSTM"
        ? new LSTM(inputs, hidden, { random, ...options })
        : new GRU(inputs, hidden, { random, ...options });
    };
    for (const [numLayers, bidirectional, bias, withState] of [
      [1, false, true, false],
      [2, true, true, true],
      [2, false, false, false],
      [1, true, false, true],
    ] as const) {
      const name = `${numLayers} layers${bidirectional ? ", both ways" : ""}${bias ? "" : ", no bias"}`;
      it(`${kind}: ${name}${withState ? ", from a state" : ""}`, async () => {
        using net = make({ numLayers, bidirectional, bias });
        const reference = new Reference(kind, hidden, await net.stateDict());
        const directions = bidirectional ? 2 : 1;
        const places = numLayers * directions;
        const start = [formula(4, places * n * hidden), formula(5, places * n * hidden)] as const;
        const stateOf = (series: number, place: number, i: number): number[] =>
          Array.from({ length: hidden }, (_, k) =>
            withState ? start[series]![(place * n + i) * hidden + k]! : 0,
          );
        const runAll = (values: ArrayLike<number>) =>
          sequences(values).map((sequence, i) =>
            reference.run(sequence, numLayers, directions, (p) => [stateOf(0, p, i), stateOf(1, p, i)]),
          );
        const expected = runAll(x);
        const lastOf = (series: number): number[] =>
          Array.from({ length: places }, (_, p) => expected.map(({ last }) => last[p]![series]!)).flat(2);

        const input = tensor(x, [n, steps, inputs]);
        const shape = [places, n, hidden];
        const state = withState
          ? { hidden: tensor(start[0], shape), cell: tensor(start[1], shape) }
          : undefined;
        const result = net.forward(input, state);
        const factors = formula(6, n * steps * directions * hidden);
        const loss = result.output.mul(tensor(factors, result.output.shape)).sum();
        const [gradient] = grad(loss, [input]);
        await evaluate(result.output, gradient!, ...Object.values(result));
        expect(result.output.shape).to.deep.equal([n, steps, directions * hidden]);
        await close(
          result.output,
          expected.flatMap(({ output }) => output.flat()),
        );
        expect(result.hidden.shape).to.deep.equal(shape);
        await close(result.hidden, lastOf(0));
        if ("cell" in result) await close(result.cell as Tensor, lastOf(1));

        const lossOf = (values: number[]): number =>
          runAll(values)
            .flatMap(({ output }) => output.flat())
            .reduce((sum, value, k) => sum + value * factors[k]!, 0);
        const numeric = Array.from(x, (_, at) => {
          const moved = (by: number) => lossOf([...x].map((value, k) => (k === at ? value + by : value)));
          return (moved(1e-5) - moved(-1e-5)) / 2e-5;
        });
        await close(gradient!, numeric, 1e-4);
      });
    }

    it(`${kind} has PyTorch's names, shapes and order`, async () => {
      using net = make({ numLayers: 2, bidirectional: true });
      const gates = kind === "LSTM" ? 4 : 3;
      const expected = ["l0", "l0_reverse", "l1", "l1_reverse"].flatMap((suffix) => [
        [`weight_ih_${suffix}`, [gates * hidden, suffix.startsWith("l0") ? inputs : 2 * hidden]],
        [`weight_hh_${suffix}`, [gates * hidden, hidden]],
        [`bias_ih_${suffix}`, [gates * hidden]],
        [`bias_hh_${suffix}`, [gates * hidden]],
      ]);
      expect([...(await net.stateDict())].map(([name, { shape }]) => [name, shape])).to.deep.equal(expected);
      expect(net.parameters()).to.have.length(16);
      const bound = 1 / Math.sqrt(hidden);
      for (const { data } of (await net.stateDict()).values()) {
        for (const value of data) expect(Math.abs(Number(value))).to.be.at.most(bound);
      }
    });

    it(`${kind} trains all its weights`, async () => {
      using net = make({ bidirectional: true });
      const factors = formula(6, n * steps * 2 * hidden);
      const loss = net
        .forward(tensor(x, [n, steps, inputs]))
        .output.mul(tensor(factors, [n, steps, 2 * hidden]))
        .sum();
      const names = Object.keys(net.weights);
      const gradients = grad(loss, Object.values(net.weights));
      await evaluate(...gradients);
      const dict = await net.stateDict();
      const zeros = Array<number>(hidden).fill(0);
      for (const [k, name] of names.entries()) {
        const reference = new Reference(kind, hidden, dict);
        const lossOf = (): number =>
          sequences(x)
            .flatMap((sequence) => reference.run(sequence, 1, 2, () => [zeros, zeros]).output.flat())
            .reduce((sum, value, at) => sum + value * factors[at]!, 0);
        const weight = reference.weights[name]!;
        const numeric = weight.map((row) =>
          row.map((value, column) => {
            const moved = [1e-5, -1e-5].map((by) => {
              row[column] = value + by;
              return lossOf();
            });
            row[column] = value;
            return (moved[0]! - moved[1]!) / 2e-5;
          }),
        );
        const here =
          weight[0]!.length > 1
            ? numeric[0]!.map((_, column) => numeric.map((row) => row[column]!))
            : numeric;
        expect(largestDifference(await gradients[k]!.data(), here.flat()), name).to.be.below(1e-4);
      }
    });

    it(`${kind} drops out between layers in training only`, async () => {
      using net = make({ numLayers: 2, dropout: 0.5 });
      const input = tensor(x, [n, steps, inputs]);
      const run = async () => [...(await net.forward(input).output.data())];
      expect(await run()).not.to.deep.equal(await run());
      net.eval();
      expect(await run()).to.deep.equal(await run());
    });

    it(`${kind} refuses what does not fit`, () => {
      using net = make({});
      expect(() => net.forward(tensor(x, [n * steps, inputs]))).to.throw(
        ShapeError,
        `${kind}: x must be [N, T, 3] with at least one time step, but is [10, 3].`,
      );
      expect(() =>
        net.forward(tensor(x, [n, steps, inputs]), { hidden: tensor([1]), cell: tensor([1]) }),
      ).to.throw(`${kind}: the initial state must be [1, 2, 4], but is [1].`);
      expect(() => make({ numLayers: 0 })).to.throw(
        RangeError,
        /numLayers must be a whole number from 1 on, but is the number 0/,
      );
    });
  }
});

describe("Embedding", () => {
  const indices = (values: number[], shape: number[]) => tensor(values, shape, { dtype: "i32" });

  it("looks vectors up, and collects gradients of repeated indices", async () => {
    using layer = new Embedding(4, 2);
    layer.weight.assign(tensor([0, 1, 10, 11, 20, 21, 30, 31], [4, 2]));
    const y = layer.forward(indices([3, 1, 1, -1], [2, 2]));
    const [gradient] = grad(y.mul(tensor([1, 2, 3, 4], [2, 2, 1])).sum(), [layer.weight]);
    await evaluate(y, gradient!);
    expect(y.shape).to.deep.equal([2, 2, 2]);
    await close(y, [30, 31, 10, 11, 10, 11, 30, 31]);
    await close(gradient!, [0, 0, 5, 5, 0, 0, 5, 5]);
    expect([...(await layer.stateDict()).keys()]).to.deep.equal(["weight"]);
  });

  it("does not train the vector of the padding, which is zero at the start", async () => {
    using layer = new Embedding(3, 2, { paddingIndex: 1 });
    const start = [...(await layer.weight.data())];
    expect(start.slice(2, 4)).to.deep.equal([0, 0]);
    expect(start.filter((value) => value !== 0)).to.have.length(4);
    layer.weight.assign(tensor([1, 2, 3, 4, 5, 6], [3, 2]));
    const y = layer.forward(indices([1, 0], [2]));
    const [gradient] = grad(y.square().sum(), [layer.weight]);
    await evaluate(y, gradient!);
    await close(y, [3, 4, 1, 2]);
    await close(gradient!, [2, 4, 0, 0, 0, 0]);
  });

  it("refuses floats and a padding out of range", () => {
    using layer = new Embedding(3, 2);
    expect(() => layer.forward(tensor([1]) as never)).to.throw(/must be i32 or u32, but are f32\. Use cast/);
    expect(() => new Embedding(3, 2, { paddingIndex: 3 })).to.throw(RangeError, /in 0 … 2, but is 3/);
  });
});
