/** Progressive training: the same network at half the image size first, then at the whole one, exactly resumable across the two. */
import { LimitError, readSafetensors, tensor } from "@ddad/nn";
import { expect } from "chai";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import { resolveConfig } from "../src/config/parse.ts";
import { halfSizeConfig } from "../src/config/progressive.ts";
import type { Config } from "../src/config/schema.ts";
import { imageAt, type NamedImages, stackImages } from "../src/data/imageSet.ts";
import { generateProcedural } from "../src/data/procedural/generate.ts";
import { createDenoiser } from "../src/diffusion/denoiser.ts";
import { MemoryBudgetError } from "../src/errors.ts";
import {
  decodeModel,
  decodeTrainingState,
  encodeTrainingState,
  type Model,
  type TrainingState,
} from "../src/model/modelFile.ts";
import { stepWithinBudget } from "../src/training/memory.ts";
import { type TrainingOptions, train } from "../src/training/train.ts";
import { Trainer } from "../src/training/trainer.ts";

const size = 16;

function images(count: number, seed: number, side = size): NamedImages {
  const sizes = { size: 32, train: count, testGood: 0, testPerDefect: 0 };
  const samples = [...generateProcedural({ category: "tile", seed, ...sizes })];
  const good = samples.filter(({ split }) => split === "train").map(({ image }) => image);
  return {
    images: stackImages(good, count, side),
    ids: good.map((_, k) => `train/good/${seed}-${k}.png`),
  };
}

const good = images(6, 1);
const heldOut = images(2, 2);

const configOf = (training: Partial<Config["training"]> = {}): Config =>
  resolveConfig({
    data: { root: "parts", imageSize: size },
    model: {
      ...{ baseChannels: 32, heads: 1, dropout: 0.1, blocksPerLevel: 1 },
      ...{ channelMultipliers: [1, 1], attentionSizes: [8] },
    },
    training: { steps: 6, batchSize: 4, warmup: 0, progressive: 0.5, checkpointEvery: 2, ...training },
  });

/** What a training saved and told. */
async function trained(options: Partial<TrainingOptions> & Pick<TrainingOptions, "config">) {
  let bytes = new Uint8Array();
  const notices: string[] = [];
  const models: Model[] = [];
  const result = await train({
    train: good,
    heldOut,
    onCheckpoint: (state) => {
      bytes = encodeTrainingState(state) as Uint8Array<ArrayBuffer>;
    },
    onNotice: (sentence) => void notices.push(sentence),
    onBest: (model) => void models.push(model),
    ...options,
  });
  const state = bytes.length > 0 ? decodeTrainingState(readSafetensors(bytes)) : undefined;
  return { result, notices, models, state: state!, bytes };
}

const valuesOf = ({ weights, ema, optimizer }: TrainingState) =>
  Object.entries({ weights, ema: ema!, optimizer }).flatMap(([part, dict]) =>
    [...dict].map(([name, { data }]) => [`${part}.${name}`, data] as const),
  );

const expectSame = (found: TrainingState, expected: TrainingState): void => {
  const values = new Map(valuesOf(found));
  for (const [name, data] of valuesOf(expected)) expect(values.get(name), name).to.deep.equal(data);
  expect(found.best).to.deep.equal(expected.best);
  expect(found.imageSize).to.equal(expected.imageSize);
};

describe("progressive training", () => {
  let whole: Awaited<ReturnType<typeof trained>>;
  before(async () => {
    whole = await trained({ config: configOf() });
  });

  it("takes its first steps on images of half the size", async () => {
    const half = await trained({ config: configOf(), stopAfter: 3 });
    expect(half.state).to.include({ step: 3, imageSize: 8 });
    const small = imagesOfHalf(good);
    using trainer = await Trainer.create(halfSizeConfig(configOf()), small);
    for (let step = 0; step < 3; step++) await trainer.takeStep();
    const expected = await trainer.state();
    expect(valuesOf(half.state)).to.deep.equal(valuesOf(expected));
    expect(half.notices).to.deep.equal([
      "Until step 3 images have 8 × 8 pixels, then 16 × 16 (training.progressive 0.5).",
    ]);
  });

  it("says where the images become larger, and chooses the best model anew", () => {
    expect(whole.notices).to.deep.equal([
      "Until step 3 images have 8 × 8 pixels, then 16 × 16 (training.progressive 0.5).",
      "Images have 16 × 16 pixels after step 3. The best model is chosen anew: validation losses of two sizes cannot be compared.",
    ]);
    expect(whole.state.imageSize).to.equal(undefined);
    expect(whole.state.best!.step).to.be.greaterThan(3);
    expect(whole.result.model!.step).to.be.greaterThan(3);
  });

  it("resumes at any step to the very weights of an uninterrupted run", async () => {
    for (const stopAfter of [2, 3, 4]) {
      const stopped = await trained({ config: configOf(), stopAfter });
      expect(stopped.state.imageSize).to.equal(stopAfter <= 3 ? 8 : undefined);
      const resume = { state: stopped.state, best: stopped.result.model };
      const resumed = await trained({ config: configOf(), resume });
      expect(resumed.result).to.include({ steps: 6, stopped: false });
      expectSame(resumed.state, whole.state);
    }
  });

  it("keeps no model of the first phase, whatever its loss was", async () => {
    const { state, result } = await trained({ config: configOf(), stopAfter: 2 });
    for (const stopAfter of [2, 3]) {
      const stopped = stopAfter === 2 ? state : (await trained({ config: configOf(), stopAfter })).state;
      const unbeaten = { ...stopped, best: { step: 2, loss: 0 } };
      const resumed = await trained({
        config: configOf(),
        resume: { state: unbeaten, best: result.model },
      });
      expect(resumed.state.best).to.deep.equal(whole.state.best);
      expect(resumed.result.model!.step).to.equal(whole.state.best!.step);
    }
  });

  it("gives a model for images of the whole size in either phase", async () => {
    const { result, bytes, models, state } = await trained({ config: configOf(), stopAfter: 2 });
    expect(models).to.have.length(1);
    for (const model of [result.model!, decodeModel(readSafetensors(bytes))]) {
      expect(model.config).to.deep.equal(configOf());
      using denoiser = createDenoiser(model.config);
      denoiser.loadStateDict(model.weights);
      const noise = denoiser
        .eval()
        .forward(tensor(new Float32Array(size * size * 3), [1, size, size, 3]), tensor([9]));
      expect([...(await noise.data())].every(Number.isFinite)).to.equal(true);
    }
    expect(state.config).to.deep.equal(configOf());
  });

  it("does a validation that was stopped at the end of the first phase there", async () => {
    const losses: number[] = [];
    const validations: Pick<TrainingOptions, "onProgress"> = {
      onProgress: ({ step, validationLoss }) => {
        if (step === 3 && validationLoss) losses.push(validationLoss.mean);
      },
    };
    const { state } = await trained({ config: configOf(), stopAfter: 3, ...validations });
    const resume = { state: { ...state, best: whole.state.best, validationPending: true } };
    const resumed = await trained({ config: configOf(), resume, ...validations });
    expect(losses).to.have.length(2);
    expect(losses[1]).to.equal(losses[0]);
    expectSame(resumed.state, whole.state);
  });

  it("drops the first step at the whole size where it is stopped: the end of the first phase is saved", async () => {
    const config = configOf({ microBatch: 2 });
    const stop = new AbortController();
    let larger = false;
    const stopped = await trained({
      config,
      signal: stop.signal,
      onNotice: (sentence) => {
        larger ||= sentence.startsWith("Images have 16");
      },
      train: {
        ...good,
        images: {
          ...good.images,
          // The first of two parts of a batch reads its images.
          get data() {
            if (larger) stop.abort();
            return good.images.data;
          },
        },
      },
    });
    expect(stopped.result).to.include({ steps: 3, stopped: true });
    expect(stopped.state).to.include({ step: 3, imageSize: 8 });
    const resume = { state: stopped.state, best: stopped.result.model };
    const resumed = await trained({ config, resume });
    expectSame(resumed.state, (await trained({ config })).state);
  });

  it("does not go back to half the size where a run is made longer", async () => {
    const config = configOf({ steps: 20 });
    const longer = await trained({ config, resume: { state: whole.state }, stopAfter: 7 });
    expect(longer.state.step).to.equal(7);
    expect(longer.state.imageSize).to.equal(undefined);
    expect(longer.notices).to.deep.equal([]);
  });

  it("plans the larger phase before the first step, and refuses what does not fit", async () => {
    const total = async (config: Config): Promise<number> => {
      const { step, memory } = await stepWithinBudget(config);
      step.dispose();
      return memory.total;
    };
    const config = configOf({ microBatch: 4 });
    const [half, full] = [await total(halfSizeConfig(config)), await total(config)];
    expect(half).to.be.lessThan(full);
    const told: (number | string)[] = [];
    const run = (memory: number) =>
      trained({
        config: configOf({ microBatch: 4, memory: `${Math.ceil(memory / 1e3) / 1e3}MB` }),
        stopAfter: 4,
        onMemory: (plan) => told.push(plan.total),
        onProgress: ({ step }) => told.push(`step ${step}`),
      });
    const refused = await run((half + full) / 2).catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(MemoryBudgetError);
    expect(told).to.deep.equal([]);
    await run(full + 1e3);
    expect(told.slice(0, 2)).to.deep.equal([full, "step 1"]);
    expect(told.filter((entry) => typeof entry === "number")).to.deep.equal([full]);
  });

  it("takes the batch in parts where only the larger images have no room", async () => {
    const device = testDevice();
    const { checkSize } = device;
    // The largest tensor of the second phase has 64 KiB an image, that of the first one 16 KiB.
    device.checkSize = (bytes, what) => {
      if (bytes > 200_000 && !/accumulate|adamEmaStep|sumOfSquares/.test(what))
        throw new LimitError(`${what} is too large.`);
    };
    const options = { config: configOf({ batchSize: 6, steps: 4 }), heldOut: images(0, 3) };
    const found = await trained(options).finally(() => {
      device.checkSize = checkSize;
    });
    expect(found.notices[2]).to.equal(
      "The adapter has no room for 6 images at once: 3 at a time, to the same effect.",
    );
    const atOnce = await trained(options);
    expect(atOnce.notices).to.have.length(2);
    expect(found.result).to.include({ steps: 4, stopped: false });
    expect(found.result.loss).to.be.closeTo(atOnce.result.loss, 1e-4 * atOnce.result.loss);
  });
});

/** The same images as the first phase sees them. */
function imagesOfHalf({ images: set, ids }: NamedImages): NamedImages {
  const all = Array.from({ length: set.count }, (_, index) => imageAt(set, index));
  return { images: stackImages(all, set.count, set.size / 2), ids };
}
