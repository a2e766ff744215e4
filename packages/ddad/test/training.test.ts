/** Training: exact resume, accumulation that equals the whole batch, a loss that falls. */
import { readSafetensors, type StateDict } from "@ddad/nn";
import { expect } from "chai";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import {
  type Config,
  generateProcedural,
  type NamedImages,
  resolveConfig,
  stackImages,
} from "../src/index.ts";
import { decodeTrainingState, encodeTrainingState } from "../src/model/modelFile.ts";
import { Trainer } from "../src/training/trainer.ts";

const size = 16;
const images = generateProcedural({
  category: "tile",
  size: 32,
  train: 6,
  testGood: 0,
  testPerDefect: 0,
  seed: 1,
});
const set: NamedImages = {
  images: stackImages(
    [...images].filter(({ split }) => split === "train").map(({ image }) => image),
    6,
    size,
  ),
  ids: Array.from({ length: 6 }, (_, k) => `train/good/${k}.png`),
};

const configOf = (training: object, precision: Config["precision"] = "f32") =>
  resolveConfig({
    precision,
    data: { root: "nowhere", imageSize: size },
    model: { baseChannels: 32, heads: 1, dropout: 0.1, channelMultipliers: [1, 1], blocksPerLevel: 1 },
    training: { steps: 6, batchSize: 4, learningRate: 1e-3, warmup: 2, ...training },
  });

const train = async (trainer: Trainer, until: number): Promise<number[]> => {
  const losses: number[] = [];
  while (trainer.step < until) losses.push(await trainer.takeStep());
  return losses;
};

const largest = (a: StateDict, b: StateDict): number => {
  let worst = 0;
  for (const [name, { data }] of a) {
    const other = b.get(name)!.data;
    for (let i = 0; i < data.length; i++)
      worst = Math.max(worst, Math.abs(Number(data[i]) - Number(other[i])));
  }
  return worst;
};

function skipWithoutHalves(context: Mocha.Context, precision: Config["precision"]): void {
  if (precision === "f32" || testDevice().capabilities.f16) return;
  console.log("    skipped: this adapter has no shader-f16");
  context.skip();
}

describe("Trainer", () => {
  for (const precision of ["f32", "mixed"] as const) {
    it(`resumes from its state to the same weights, bit for bit, in ${precision}`, async function () {
      skipWithoutHalves(this, precision);
      const config = configOf({}, precision);
      using whole = await Trainer.create(config, set);
      await train(whole, 6);
      const expected = await whole.model();
      let bytes: Uint8Array;
      {
        using first = await Trainer.create(config, set);
        await train(first, 3);
        bytes = encodeTrainingState(await first.state());
      }
      using second = await Trainer.create(config, set, decodeTrainingState(readSafetensors(bytes)));
      expect(second.step).to.equal(3);
      await train(second, 6);
      expect(largest(expected.weights, (await second.model()).weights)).to.equal(0);
    });
  }

  it("learns in mixed precision what it learns in f32, loss by loss", async function () {
    skipWithoutHalves(this, "mixed");
    using single = await Trainer.create(configOf({}), set);
    using mixed = await Trainer.create(configOf({}, "mixed"), set);
    const expected = await train(single, 6);
    const got = await train(mixed, 6);
    for (const [step, loss] of got.entries())
      expect(loss).to.be.closeTo(expected[step]!, 0.01 * expected[step]!);
    expect(got, "the same to the last digit: was it mixed at all?").not.to.deep.equal(expected);
  });

  it("accumulates micro-batches to the gradient of the whole batch", async () => {
    const plain = {
      ema: 0,
      schedule: "constant",
      warmup: 0,
      clip: 0,
      optimizer: "adam",
      weightDecay: 0,
    } as const;
    using whole = await Trainer.create(configOf(plain), set);
    using parts = await Trainer.create(configOf({ ...plain, microBatch: 2 }), set);
    const [a] = await train(whole, 1);
    const [b] = await train(parts, 1);
    expect(b).to.be.closeTo(a!, 1e-6 * a!);
    // The first moment after one step is a tenth of the gradient.
    const [left, right] = [await whole.optimizer.stateDict(), await parts.optimizer.stateDict()];
    for (const [name, { data }] of left) {
      if (!name.startsWith("first_moment")) continue;
      const other = right.get(name)!.data as Float32Array;
      const scale = Math.max(...(data as Float32Array).map(Math.abs));
      (data as Float32Array).forEach((value, i) => {
        expect(other[i], name).to.be.closeTo(value, 1e-4 * scale + 1e-7);
      });
    }
  });

  it("learns, and its validation does not depend on when it is asked", async () => {
    using trainer = await Trainer.create(configOf({ steps: 40 }), set);
    const before = await trainer.validate(set);
    expect(await trainer.validate(set)).to.deep.equal(before);
    await train(trainer, 40);
    expect((await trainer.validate(set)).mean).to.be.below(0.8 * before.mean);
  });

  it("validates every bucket of time steps on noise that hangs on the image alone", async () => {
    using trainer = await Trainer.create(configOf({}), set);
    await train(trainer, 2);
    const { mean, buckets } = await trainer.validate(set);
    expect(buckets.map(({ from, to }) => [from, to])).to.deep.equal([
      ...[0, 50, 100, 150, 200].map((from) => [from, from + 49]),
      [250, 300],
    ]);
    // A bucket counts as many times as it has time steps.
    const weighed = buckets.reduce((sum, { from, to, loss }) => sum + loss * (to - from + 1), 0);
    expect(mean).to.be.closeTo(weighed / 301, 1e-12);
    // The two parts of the set, each alone and in batches of another size, have the same losses as together.
    using parts = await Trainer.create(configOf({ microBatch: 1 }), set, await trainer.state());
    const half = async (from: number): Promise<number[]> => {
      const data = set.images.data.subarray(from * size * size * 3, (from + 3) * size * size * 3);
      const { buckets: losses } = await parts.validate({
        images: { count: 3, size, data },
        ids: set.ids.slice(from, from + 3),
      });
      return losses.map(({ loss }) => loss);
    };
    const [first, second] = [await half(0), await half(3)];
    for (const [k, { loss }] of buckets.entries()) {
      expect((first[k]! + second[k]!) / 2).to.be.closeTo(loss, 1e-6 * loss);
    }
  });
});
