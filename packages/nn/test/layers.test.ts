import {
  compile,
  evaluate,
  grad,
  RandomStream,
  randomKeys,
  recompute,
  ShapeError,
  type Tensor,
  tensor,
} from "@ddad/tensor";
import { expect } from "chai";
import { entry, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { setSeed } from "../src/init.ts";
import { GELU, ReLU, SiLU } from "../src/layers/activations.ts";
import { BatchNorm2d } from "../src/layers/batchNorm2d.ts";
import { Conv2d } from "../src/layers/conv2d.ts";
import { Dropout } from "../src/layers/dropout.ts";
import { GroupNorm } from "../src/layers/groupNorm.ts";
import { Linear } from "../src/layers/linear.ts";
import { Downsample, Upsample } from "../src/layers/resample.ts";
import { Sequential } from "../src/layers/sequential.ts";
import { sinusoid, TimeEmbedding } from "../src/layers/timeEmbedding.ts";
import { formula, largestDifference } from "./golden.ts";

const close = async (got: Tensor, expected: ArrayLike<number>, tolerance = 1e-5): Promise<void> => {
  expect(largestDifference(await got.data(), expected)).to.be.below(tolerance);
};

/** The keys of one step for `images` images. */
const keys = (images: number, step = 0): Tensor<"u32"> =>
  randomKeys(
    1,
    Array.from({ length: images }, (_, stream) => ({ stream, step })),
  );

describe("layers", () => {
  it("Linear maps the last axis; without a bias it has none", async () => {
    using layer = new Linear(2, 3);
    layer.weight.assign(tensor([1, 2, 3, 4, 5, 6], [2, 3]));
    layer.bias!.assign(tensor([10, 20, 30]));
    const y = layer.forward(tensor([1, 1, 2, 0], [1, 2, 1, 2]));
    expect(y.shape).to.deep.equal([1, 2, 1, 3]);
    await close(y, [15, 27, 39, 12, 24, 36]);
    using bare = new Linear(2, 3, { bias: false });
    expect([...bare.namedState().keys()]).to.deep.equal(["weight"]);
  });

  it("Conv2d slides its kernel; stride and padding reach the operation", async () => {
    using layer = new Conv2d(1, 1, [1, 2], { stride: 2, padding: [0, 1, 0, 0] });
    layer.weight.assign(tensor([1, 10], [1, 2, 1, 1]));
    layer.bias!.assign(tensor([0.5]));
    const y = layer.forward(tensor([1, 2, 3, 4], [1, 1, 4, 1]));
    expect(y.shape).to.deep.equal([1, 1, 2, 1]);
    await close(y, [10.5, 32.5]);
  });

  it("GroupNorm normalises groups of channels, SiLU included where asked for", async () => {
    using plain = new GroupNorm(2, 4);
    using fused = new GroupNorm(2, 4, { activation: "silu" });
    const x = tensor([1, 3, 10, 10, 5, 7, 30, 30], [1, 1, 2, 4]);
    const normed = [-3, -1, -10, -10, 1, 3, 10, 10].map(
      (d, i) => d / Math.sqrt((i % 4 < 2 ? 5 : 100) + 1e-5),
    );
    await close(plain.forward(x), normed);
    await close(
      fused.forward(x),
      normed.map((v) => v / (1 + Math.exp(-v))),
    );
  });

  it("activations", async () => {
    const x = tensor([-2, -0.5, 0, 1, 3]);
    await close(new SiLU().forward(x), [-0.2384058, -0.1887703, 0, 0.7310586, 2.8577224]);
    await close(new ReLU().forward(x), [0, 0, 0, 1, 3]);
    await close(new GELU().forward(x), [-0.0455003, -0.1542688, 0, 0.8413447, 2.9959502]);
  });

  it("Upsample doubles, Downsample halves", async () => {
    const x = tensor([1, 2, 3, 4], [1, 2, 2, 1]);
    await close(new Upsample().forward(x), [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
    await close(new Downsample().forward(x), [2.5]);
  });

  it("TimeEmbedding tells steps apart as [sin | cos], exactly over the whole range", async () => {
    const steps = [0, 1, 37, 500.5, 999];
    const expected = steps.flatMap((t) => {
      const angles = [0, 1, 2, 3].map((k) =>
        Math.fround(t * Math.fround(Math.exp((-Math.log(1e4) * k) / 4))),
      );
      return [...angles.map(Math.sin), ...angles.map(Math.cos)];
    });
    await close(sinusoid(tensor(steps), 8), expected, 1e-6);
    await close(
      sinusoid(tensor([0, 999], [2], { dtype: "i32" }), 8),
      [...expected.slice(0, 8), ...expected.slice(-8)],
      1e-6,
    );
    expect(() => sinusoid(tensor(steps), 7)).to.throw(/channels must be even/);
  });

  it("TimeEmbedding gives PyTorch's numbers", async function () {
    const arrays = readNpz(sharedOrSkip(this, "golden", "unet_tiny.npz"));
    const array = (key: string) => entry(arrays, key, Float32Array).data;
    using layer = new TimeEmbedding(32, 128);
    layer.linear1.weight.assign(
      tensor(
        formula(1000, 4096, (u) => Math.sqrt(3 / 32) * u),
        [128, 32],
      ).permute([1, 0]),
    );
    layer.linear1.bias!.assign(tensor(formula(1001, 128, (u) => 0.1 * u)));
    layer.linear2.weight.assign(
      tensor(
        formula(1002, 16384, (u) => Math.sqrt(3 / 128) * u),
        [128, 128],
      ).permute([1, 0]),
    );
    layer.linear2.bias!.assign(tensor(formula(1003, 128, (u) => 0.1 * u)));
    const t = tensor(array("temb_t"));
    await close(sinusoid(t, 32), array("temb_sincos"));
    await close(layer.forward(t), array("temb_out"));
  });

  describe("BatchNorm2d", () => {
    const x = [1, 10, 2, 20, 3, 30, 6, 40]; // [2, 1, 2, 2]: channel means 3 and 25, biased variances 3.5 and 125

    it("in training uses the batch, and moves the running statistics (unbiased variance)", async () => {
      using layer = new BatchNorm2d(2);
      const y = layer.forward(tensor(x, [2, 1, 2, 2]));
      await evaluate(y, ...layer.buffers());
      await close(
        y,
        x.map((v, i) => (i % 2 ? (v - 25) / Math.sqrt(125 + 1e-5) : (v - 3) / Math.sqrt(3.5 + 1e-5))),
      );
      await close(layer.runningMean, [0.3, 2.5]);
      await close(layer.runningVariance, [0.9 + (0.1 * 3.5 * 4) / 3, 0.9 + (0.1 * 125 * 4) / 3]);
      expect(await layer.numBatchesTracked.item()).to.equal(1);
    });

    it("counts two batches recorded before one evaluation", async () => {
      using layer = new BatchNorm2d(1, { momentum: 0.5 });
      const outputs = [2, 6].map((mean) => layer.forward(tensor([mean - 1, mean + 1], [2, 1, 1, 1])));
      await evaluate(...outputs, ...layer.buffers());
      await close(layer.runningMean, [0.25 * 0 + 0.25 * 2 + 0.5 * 6]);
      await close(layer.runningVariance, [0.25 * 1 + 0.25 * 2 + 0.5 * 2]);
      expect(await layer.numBatchesTracked.item()).to.equal(2);
    });

    it("in evaluation uses the running statistics and leaves them alone", async () => {
      using layer = new BatchNorm2d(2).eval();
      layer.runningMean.assign(tensor([1, 2]));
      layer.runningVariance.assign(tensor([4, 9]));
      layer.weight.assign(tensor([2, 3]));
      layer.bias.assign(tensor([0.5, -0.5]));
      const y = layer.forward(tensor(x, [2, 1, 2, 2]));
      await close(
        y,
        x.map((v, i) => (i % 2 ? ((v - 2) / 3) * 3 - 0.5 : ((v - 1) / 2) * 2 + 0.5)),
      );
      expect(await layer.numBatchesTracked.item()).to.equal(0);
    });

    it("counts a batch once where its part of the network is recomputed", async () => {
      using layer = new BatchNorm2d(2);
      const input = tensor(x, [2, 1, 2, 2]);
      const y = recompute((value: Tensor) => layer.forward(value))(input);
      await evaluate(...grad(y.square().sum(), [input]), ...layer.buffers());
      expect(await layer.numBatchesTracked.item()).to.equal(1);
    });

    it("refuses to continue without an evaluation of the running statistics", async () => {
      using layer = new BatchNorm2d(1);
      const forward = () => layer.forward(tensor([1, 2], [2, 1, 1, 1]));
      for (let batch = 0; batch < 64; batch++) await forward().data();
      expect(forward).to.throw(
        /BatchNorm2d: 64 batches are recorded and their running statistics are not evaluated/,
      );
      await evaluate(...layer.buffers());
      expect(await layer.numBatchesTracked.item()).to.equal(64);
      await evaluate(forward(), ...layer.buffers());
    });

    it("refuses to train on a single value a channel", () => {
      using layer = new BatchNorm2d(2);
      expect(() => layer.forward(tensor([1, 2], [1, 1, 1, 2]))).to.throw(
        ShapeError,
        /at least 2 values a channel/,
      );
    });
  });

  describe("Dropout", () => {
    const x = () => tensor(new Float32Array(4 * 2500).fill(1), [4, 2500]);

    it("drops a share p and keeps the mean", async () => {
      const layer = new Dropout(0.3);
      const values = [...(await layer.forward(x(), new RandomStream(keys(4))).data())];
      expect(new Set(values.map((v) => v.toFixed(5)))).to.deep.equal(
        new Set(["0.00000", (1 / 0.7).toFixed(5)]),
      );
      const dropped = values.filter((v) => v === 0).length / values.length;
      expect(dropped).to.be.closeTo(0.3, 5 * Math.sqrt((0.3 * 0.7) / values.length));
    });

    it("drops anew with each use of a stream, and the same for the same keys whatever the batch", async () => {
      const layer = new Dropout(0.5);
      const stream = new RandomStream(keys(4));
      const [first, second] = [layer.forward(x(), stream), layer.forward(x(), stream)];
      const again = layer.forward(x(), new RandomStream(keys(4)));
      const alone = layer.forward(
        tensor(new Float32Array(2500).fill(1), [1, 2500]),
        new RandomStream(keys(1)),
      );
      expect([...(await first.data())]).to.deep.equal([...(await again.data())]);
      expect([...(await first.data())]).not.to.deep.equal([...(await second.data())]);
      expect([...(await first.data())].slice(0, 2500)).to.deep.equal([...(await alone.data())]);
    });

    it("lets the gradient through where it let the value through", async () => {
      const input = x();
      const y = new Dropout(0.5).forward(input, new RandomStream(keys(4)));
      const [gradient] = grad(y.sum(), [input]);
      await evaluate(y, gradient!);
      expect([...(await gradient!.data())]).to.deep.equal([...(await y.data())]);
    });

    it("does nothing in evaluation or with p = 0", () => {
      const input = x();
      expect(new Dropout(0.5).eval().forward(input)).to.equal(input);
      expect(new Dropout(0).forward(input)).to.equal(input);
    });

    it("draws from the generator that setSeed starts, anew in each call", async () => {
      const layer = new Dropout(0.5);
      setSeed(5);
      const [first, second] = [await layer.forward(x()).data(), await layer.forward(x()).data()];
      setSeed(5);
      expect([...(await layer.forward(x()).data())]).to.deep.equal([...first]);
      expect([...second]).not.to.deep.equal([...first]);
      const dropped = first.filter((v) => v === 0).length / first.length;
      expect(dropped).to.be.closeTo(0.5, 0.025);
      expect([...(await layer.forward(tensor(3)).data())].every((v) => v === 0 || v === 6)).to.equal(true);
    });

    it("draws anew in a compiled function", async () => {
      const layer = new Dropout(0.5);
      const twice = compile((input: Tensor) => [layer.forward(input), layer.forward(input)]);
      const masks: string[] = [];
      for (let call = 0; call < 3; call++) {
        for (const y of await twice(x())) masks.push((await y.data()).join());
      }
      expect(new Set(masks).size).to.equal(6);
    });

    it("draws the same where its part of the network is recomputed", async () => {
      for (const compiled of [false, true]) {
        const [outer, inner] = [new Dropout(0.5), new Dropout(0.5)];
        const part = recompute((value: Tensor) =>
          recompute((v: Tensor) => inner.forward(outer.forward(v).mul(3)))(value),
        );
        const run = (input: Tensor) => {
          const y = part(input);
          return [y, grad(y.sum(), [input])[0]!];
        };
        const [y, gradient] = await (compiled ? compile(run)(x()) : run(x()));
        await evaluate(y!, gradient!);
        expect([...(await gradient!.data())]).to.deep.equal([...(await y!.data())]);
      }
    });

    it("refuses a p outside of 0 … 1", () => {
      expect(() => new Dropout(1)).to.throw(
        RangeError,
        /p must be at least 0 and less than 1, but is the number 1/,
      );
    });
  });

  it("Sequential passes values and random numbers on", async () => {
    const layers = new Sequential(new ReLU(), new Dropout(0.5), new ReLU());
    const values = await layers
      .forward(tensor([-1, 1, 1, 1, 1, 1, 1, 1], [1, 8]), new RandomStream(keys(1)))
      .data();
    expect(values[0]).to.equal(0);
    expect([...values].every((v) => v === 0 || v === 2)).to.equal(true);
  });
});
