/** A run of training: resuming, stopping, the choice of the model, what happens when it goes wrong. */
import { LimitError, readSafetensors } from "@ddad/nn";
import { expect } from "chai";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import { DivergedError } from "../src/errors.ts";
import {
  decodeTrainingState,
  encodeTrainingState,
  type Model,
  type TrainingState,
} from "../src/model/modelFile.ts";
import { type TrainingOptions, type TrainingProgress, train } from "../src/training/train.ts";
import { smallConfig, smallImages } from "./small.ts";

const images = smallImages(6, 1);
const heldOut = smallImages(2, 2);

/** All values of a state, by name. */
const valuesOf = ({ weights, ema, optimizer }: TrainingState) =>
  new Map(
    Object.entries({ weights, ema: ema!, optimizer }).flatMap(([part, dict]) =>
      [...dict].map(([name, { data }]) => [`${part}.${name}`, data] as const),
    ),
  );

/** Trains and gives the last state that was saved. */
async function finalState(options: Partial<TrainingOptions> & Pick<TrainingOptions, "config">) {
  let state: TrainingState | undefined;
  const result = await train({
    train: images,
    heldOut,
    onCheckpoint: (latest) => {
      state = latest;
    },
    ...options,
  });
  return { result, state: state! };
}

describe("train", () => {
  it("resumes after a stop to the very weights of an uninterrupted run", async () => {
    const config = smallConfig({
      training: { microBatch: 2, augmentation: ["horizontalFlip", "quarterTurn"] },
    });
    const whole = await finalState({ config });
    const half = await finalState({ config, stopAfter: 3 });
    expect(half.result).to.include({ steps: 3, stopped: true });
    const resumed = await finalState({ config, resume: { state: half.state } });
    expect(resumed.result).to.include({ steps: 6, stopped: false });
    const expected = valuesOf(whole.state);
    const found = valuesOf(resumed.state);
    expect([...found.keys()]).to.deep.equal([...expected.keys()]);
    for (const [name, values] of expected) expect(found.get(name), name).to.deep.equal(values);
    expect(resumed.state.best).to.deep.equal(whole.state.best);
  });

  it("finishes the step and saves when it is asked to stop", async () => {
    const stop = new AbortController();
    const { result, state } = await finalState({
      config: smallConfig({ training: { logEvery: 1 } }),
      signal: stop.signal,
      onProgress: ({ step }) => {
        if (step === 2) stop.abort();
      },
    });
    expect(result).to.include({ steps: 2, stopped: true, model: undefined });
    expect(state).to.include({ step: 2, best: undefined });
  });

  /** Aborts once this many compiled parts have run: training parts first, then those of a validation. */
  async function stoppedInPart(part: number, config: TrainingOptions["config"]) {
    const stop = new AbortController();
    let parts = 0;
    // Every part reads its images from the set.
    const counting = (set: typeof images): typeof images => ({
      ...set,
      images: {
        ...set.images,
        get data() {
          if (++parts === part) stop.abort();
          return set.images.data;
        },
      },
    });
    const outcome = await finalState({
      config,
      train: counting(images),
      heldOut: counting(heldOut),
      signal: stop.signal,
    });
    expect(parts, "no further part was begun").to.equal(part);
    return outcome;
  }

  it("drops a step that is stopped between its parts, and takes it again to the very same weights", async () => {
    const config = smallConfig({ training: { microBatch: 1 } });
    const { batchSize } = config.training;
    expect(batchSize).to.be.greaterThan(1);
    const whole = await finalState({ config });
    for (const part of [1, 2 * batchSize + 1]) {
      const half = await stoppedInPart(part, config);
      expect(half.result).to.include({ steps: Math.floor(part / batchSize), stopped: true });
      // Before the first step is done there is nothing to save.
      expect(half.state === undefined).to.equal(part === 1);
      const resume = part === 1 ? undefined : { state: half.state };
      const resumed = await finalState({ config, resume });
      const found = valuesOf(resumed.state);
      for (const [name, values] of valuesOf(whole.state)) expect(found.get(name), name).to.deep.equal(values);
    }
  });

  it("does a validation that was stopped before the next step, to the same choice of model", async () => {
    const config = smallConfig({ training: { microBatch: 1, checkpointEvery: 3 } });
    const { batchSize, steps } = config.training;
    const whole = await finalState({ config });
    for (const stoppedAt of [3, steps]) {
      const validations = Math.floor((stoppedAt - 1) / 3) * 6 * heldOut.ids.length;
      const half = await stoppedInPart(stoppedAt * batchSize + validations + 2, config);
      expect(half.result).to.include({ steps: stoppedAt, stopped: true });
      expect(half.state.validationPending).to.equal(true);
      const stored = decodeTrainingState(readSafetensors(encodeTrainingState(half.state)));
      expect(stored.validationPending).to.equal(true);
      const resumed = await finalState({ config, resume: { state: stored, best: half.result.model } });
      expect(resumed.result).to.include({ steps, stopped: false });
      expect(resumed.state).to.not.have.property("validationPending");
      expect(resumed.state.best).to.deep.equal(whole.state.best);
      const found = valuesOf(resumed.state);
      for (const [name, values] of valuesOf(whole.state)) expect(found.get(name), name).to.deep.equal(values);
    }
  });

  it("gives the last model where a run without held-out images is resumed after its last step", async () => {
    const config = smallConfig({ protocol: "paper" });
    const none = smallImages(0, 3);
    const { state, result } = await finalState({ config, heldOut: none });
    let kept: Model | undefined;
    const again = await train({
      ...{ config, train: images, heldOut: none, resume: { state } },
      onBest: (model) => {
        kept = model;
      },
    });
    expect(again.model).to.equal(kept);
    const values = ({ weights }: Model) => [...weights.values()].map(({ data }) => data);
    expect(values(again.model!)).to.deep.equal(values(result.model!));
  });

  it("keeps the model with the lowest loss on held-out images", async () => {
    const found: { model: Model; loss: number }[] = [];
    const { result, state } = await finalState({
      config: smallConfig({ training: { checkpointEvery: 2, learningRate: 2e-3 } }),
      onBest: (model, loss) => {
        found.push({ model, loss: loss! });
      },
    });
    const losses = found.map(({ loss }) => loss);
    expect(losses).to.not.have.length(0);
    expect(losses).to.deep.equal([...losses].sort((a, b) => b - a));
    expect(state.best).to.deep.equal({ step: found.at(-1)!.model.step, loss: losses.at(-1)! });
    expect(result.model).to.equal(found.at(-1)!.model);
  });

  it("reports the loss of held-out images at checkpoints, and the last one at the end", async () => {
    const reports: TrainingProgress[] = [];
    const onProgress = (progress: TrainingProgress): void => void reports.push(progress);
    const config = smallConfig({ training: { checkpointEvery: 4, logEvery: 2 } });
    const { result, state } = await finalState({ config, onProgress });
    expect(reports.map(({ step }) => step)).to.deep.equal([1, 2, 4, 6]);
    const [, between, first, last] = reports.map(({ validationLoss }) => validationLoss);
    expect(between).to.equal(undefined);
    expect(result.validationLoss).to.equal(last);
    expect(last!.buckets).to.have.length(6);
    expect(state.best!.loss).to.equal(Math.min(first!.mean, last!.mean));
    const without = await finalState({ config, heldOut: smallImages(0, 3) });
    expect(without.result.validationLoss).to.equal(undefined);
  });

  it("ships the running mean of the weights", async () => {
    const { result, state } = await finalState({ config: smallConfig() });
    const arrays = (dict: Model["weights"]) => [...dict.values()].map(({ data }) => data);
    expect(arrays(result.model!.weights)).to.deep.equal(arrays(state.ema!));
    expect(arrays(result.model!.weights)).to.not.deep.equal(arrays(state.weights));
  });

  it("takes a batch in parts, to the same effect, where the adapter has no room for it", async () => {
    const settings = { batchSize: 6, steps: 1 };
    const expected = await finalState({ config: smallConfig({ training: { ...settings, microBatch: 3 } }) });
    const device = testDevice();
    const checkSize = device.checkSize;
    // The largest tensor is 16 KiB an image.
    device.checkSize = (bytes, what) => {
      if (bytes > 80_000) throw new LimitError(`${what} is too large.`);
    };
    const notices: string[] = [];
    const found = await finalState({
      config: smallConfig({ training: settings }),
      onNotice: (sentence) => void notices.push(sentence),
    }).finally(() => {
      device.checkSize = checkSize;
    });
    expect(notices).to.deep.equal([
      "The adapter has no room for 6 images at once: 3 at a time, to the same effect.",
    ]);
    for (const [name, values] of valuesOf(expected.state)) {
      expect(valuesOf(found.state).get(name), name).to.deep.equal(values);
    }
  });

  it("stops with a sentence when the loss is no longer a number", async () => {
    const config = smallConfig({ training: { learningRate: 1e30, clip: 0, schedule: "constant" } });
    const error = await train({ config, train: images, heldOut }).catch((reason: Error) => reason);
    expect(String(error)).to.match(
      /Training diverged: the loss of step \d is .*\. Lower training.learningRate/,
    );
  });

  it("saves no weights that are not finite: those saved before stay", async () => {
    // Without held-out images nothing looks at the network before it is saved.
    const none = smallImages(0, 3);
    const rates = { learningRate: 1e38, clip: 0, schedule: "constant" } as const;
    for (const ema of [0, 0.9]) {
      for (const stopAfter of [1, undefined]) {
        const config = smallConfig({ protocol: "paper", training: { ...rates, ema, checkpointEvery: 1 } });
        const saved: string[] = [];
        const error = await train({
          ...{ config, train: images, heldOut: none, stopAfter },
          onBest: () => void saved.push("model"),
          onCheckpoint: () => void saved.push("checkpoint"),
        }).catch((reason: unknown) => reason);
        expect(error).to.be.instanceOf(DivergedError);
        expect(String(error)).to.equal(
          "DivergedError: Training diverged: after step 1 the weights contain NaN or Infinity, so they are not saved; " +
            "what was saved before stays. Lower training.learningRate (1e+38 in this run).",
        );
        expect(saved).to.deep.equal([]);
      }
    }
  });

  it("names the step whose loss is not finite, also where a batch has parts", async () => {
    for (const microBatch of [4, 2]) {
      const config = smallConfig({
        training: { learningRate: 1e38, clip: 0, schedule: "constant", microBatch },
      });
      const error = await train({ config, train: images, heldOut: smallImages(0, 3) }).catch(String);
      expect(error).to.match(/^DivergedError: Training diverged: the loss of step 2 is /);
    }
  });
});
