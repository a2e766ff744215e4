/** Adaptation on small networks: what is kept, when it stops, and that it resumes where it stopped. */
import {
  CheckpointError,
  evaluate,
  ResNet,
  readSafetensors,
  type StateDict,
  type UNet,
  writeSafetensors,
} from "@ddad/nn";
import { expect } from "chai";
import { type AdaptationOptions, type AdaptationRunState, adapt } from "../src/adaptation/adapt.ts";
import { decodeAdaptationState, encodeAdaptationState } from "../src/adaptation/stateFile.ts";
import { resolveConfig } from "../src/config/parse.ts";
import { createDenoiser } from "../src/diffusion/denoiser.ts";
import { ConfigError, DivergedError } from "../src/errors.ts";
import { smallConfig, smallImages } from "./small.ts";

const adaptation = { steps: 4, batchSize: 4, checkEvery: 1, learningRate: 1e-3 };

describe("adapt", function () {
  this.timeout(120_000);
  let denoiser: UNet;
  const extractors: ResNet[] = [];
  beforeEach(async () => {
    denoiser = createDenoiser(smallConfig()).eval();
    await evaluate(...denoiser.namedState().values());
  });
  afterEach(() => {
    denoiser.dispose();
    denoiser = undefined as unknown as UNet;
  });
  afterEach(() => {
    for (const extractor of extractors.splice(0)) extractor.dispose();
  });

  const configWith = (settings: object, protocol: "strict" | "paper" = "strict") => {
    const config = smallConfig({ protocol, features: { network: "resnet18" } });
    return resolveConfig({ ...config, adaptation: { ...adaptation, ...settings } });
  };
  /** Always the same network. */
  const extractor = async (): Promise<ResNet> => {
    const net = new ResNet({
      block: "basic",
      layers: [1, 1, 1],
      baseChannels: 8,
      lastLayer: "layer3",
      seed: 3,
    });
    extractors.push(net);
    await evaluate(...net.namedState().values());
    return net.eval();
  };
  const run = async (config: ReturnType<typeof configWith>, more: Partial<AdaptationOptions> = {}) => {
    const net = await extractor();
    const kept: { step: number; state: StateDict }[] = [];
    const states: AdaptationRunState[] = [];
    const heldOutLosses: (number | undefined)[] = [];
    const result = await adapt({
      ...{ config, denoiser, extractor: net },
      train: smallImages(6, 1),
      heldOut: smallImages(3, 2),
      onBest: (state, step) => void kept.push({ step, state }),
      onCheckpoint: (state) => void states.push(state),
      onProgress: ({ validationLoss }) => void heldOutLosses.push(validationLoss),
      ...more,
    });
    return { result, kept, states, heldOutLosses, net };
  };

  it("keeps the network with the lowest loss of held-out images", async () => {
    const { result, kept, states, heldOutLosses } = await run(configWith({ patience: 9 }));
    expect(result).to.include({ steps: 4, stopped: "after all steps" });
    const losses = heldOutLosses.map((loss) => loss!);
    const atStart = states[0]!.best!.step === 0 ? states[0]!.best!.loss : Infinity;
    const lowest = Math.min(...losses, atStart);
    expect(states.at(-1)!.best!.loss).to.equal(lowest);
    expect(result.kept).to.equal(losses.indexOf(lowest) + 1);
    expect(kept.at(-1)?.step ?? 0).to.equal(result.kept);
  });

  it("stops when looks at held-out images find no better one, and may keep the network at the start", async () => {
    const { result, kept } = await run(configWith({ patience: 2, learningRate: 0.5, steps: 50 }));
    expect(result.stopped).to.equal("held-out images");
    expect(result.steps).to.equal(result.kept + 2);
    expect(kept.at(-1)?.step ?? 0).to.equal(result.kept);
  });

  it("takes all steps under the paper's protocol and keeps the last network", async () => {
    const config = resolveConfig({
      ...configWith({ steps: 2 }, "paper"),
      detection: { blurSigma: 0.5, crop: 8 },
    });
    const { result, kept, net } = await run(config);
    expect(result).to.deep.equal({ steps: 2, kept: 2, stopped: "after all steps" });
    expect(kept).to.have.lengthOf(1);
    expect(kept[0]!.state).to.deep.equal(await net.stateDict());
  });

  it("resumes where it stopped, to the same weights bit for bit", async () => {
    const config = configWith({ patience: 9 });
    const whole = await run(config);
    const stop = new AbortController();
    const first = await run(config, {
      signal: stop.signal,
      onProgress: ({ step }) => {
        if (step === 2) stop.abort();
      },
    });
    expect(first.result).to.include({ steps: 2, stopped: "by request" });
    const bytes = encodeAdaptationState(first.states.at(-1)!);
    const resume = decodeAdaptationState(readSafetensors(bytes));
    const second = await run(config, { resume });
    expect(second.result).to.deep.equal(whole.result);
    expect(await second.net.stateDict()).to.deep.equal(await whole.net.stateDict());
    expect(second.states.at(-1)!.best).to.deep.equal(whole.states.at(-1)!.best);

    const longer = await run(configWith({ patience: 5, steps: 5 }), { resume });
    expect(longer.result.steps).to.equal(5);
    const other = configWith({ patience: 9, guidance: 1 });
    const refused = await run(other, { resume }).catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(ConfigError);
    expect(String(refused)).to.match(/adaptation\.guidance was 3 when the adaptation began and is 1 now/);
  });

  it("saves no weights that are not finite", async () => {
    for (const protocol of ["paper", "strict"] as const) {
      const kept: string[] = [];
      const error = await run(configWith({ learningRate: 1e38, steps: 1 }, protocol), {
        onBest: () => void kept.push("network"),
        onCheckpoint: () => void kept.push("checkpoint"),
      }).catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(DivergedError);
      expect(String(error)).to.match(
        protocol === "paper"
          ? /: The adaptation diverged: after step 1 the weights contain NaN or Infinity, so they are not saved/
          : /: The adaptation diverged: the validation loss at step 1 is NaN/,
      );
      expect(String(error)).to.match(/Lower adaptation\.learningRate \(1e\+38 in this run\)\.$/);
      expect(kept).to.deep.equal([]);
    }
  });

  it("refuses a file that is no state of an adaptation", () => {
    const other = readSafetensors(writeSafetensors(new Map(), { format: "ddad", kind: "model" }));
    expect(() => decodeAdaptationState(other, "x.safetensors")).to.throw(
      CheckpointError,
      /x\.safetensors is no state of an adaptation/,
    );
  });
});
