/** How long a run takes, and the quick look that fits into a time. */
import { expect } from "chai";
import { costOf, costParts } from "../../ddad/src/config/cost.ts";
import { resolveConfig } from "../../ddad/src/config/parse.ts";
import { halfSizeConfig } from "../../ddad/src/config/progressive.ts";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import { AdapterSpeed } from "../src/adapterSpeed.ts";
import { estimateRun, leavesSizeOpen, planQuickLook } from "../src/quickLook.ts";

const counts = { heldOut: 20, test: 40 };

/** An adapter of so many operations a second, in 1e9. */
const speedOf = (gflops: number): Pick<AdapterSpeed, "estimate"> => ({
  estimate: async (config) => {
    const { gflopPerCall } = costOf({ ...config, sampling: { start: 250, stride: 25 } } as never);
    return { call: gflopPerCall / gflops, training: (3 * gflopPerCall) / gflops };
  },
});

describe("quick look", () => {
  it("fits into its time on adapters of every speed, with larger images where there is time for them", async () => {
    const sizes: number[] = [];
    for (const gflops of [15, 60, 400, 2000, 20_000]) {
      const { config, seconds } = await planQuickLook({ data: { root: "parts" } }, counts, speedOf(gflops));
      sizes.push(config.data.imageSize);
      expect(seconds, `${gflops} GFLOP/s`).to.be.within(gflops > 10_000 ? 30 : 200, 301);
      expect(seconds).to.equal(await estimateRun(config, counts, speedOf(gflops)));
      expect(config.training.steps).to.be.within(100, 3000);
      expect(config.training.warmup, "follows from the steps").to.equal(
        Math.floor(config.training.steps / 20),
      );
    }
    expect(sizes).to.deep.equal([...sizes].sort((a, b) => a - b));
    expect(sizes[0]).to.equal(32);
    expect(sizes.at(-1)).to.equal(128);
  });

  it("takes the fewest steps of the smallest network where nothing fits, and keeps what is asked for", async () => {
    const asked = { data: { root: "parts" }, training: { seed: 7 } };
    const { config, seconds } = await planQuickLook(asked, counts, speedOf(1));
    expect(config.training).to.include({ steps: 100, seed: 7 });
    expect(config.data.imageSize).to.equal(32);
    expect(seconds).to.be.greaterThan(300);
    const larger = { data: { root: "parts", imageSize: 64 } };
    expect((await planQuickLook(larger, counts, speedOf(100))).config.data.imageSize).to.equal(64);
  });

  it("counts the cheaper steps of a training that begins at half the image size", async () => {
    const settings = (progressive: number) => ({
      data: { root: "parts", imageSize: 64 },
      model: { variant: "ddad-s" } as const,
      training: { steps: 1000, batchSize: 8, checkpointEvery: 500, progressive },
    });
    const [none, half] = [0, 0.5].map((progressive) => resolveConfig(settings(progressive)));
    const gflops = 100;
    const estimate = (config: typeof none) => estimateRun(config!, counts, speedOf(gflops));
    const saved = (costOf(none!).gflopOfTraining - costOf(half!).gflopOfTraining) / gflops;
    expect(saved).to.be.greaterThan(100);
    // One of the two validations, of six calls for each held-out image, has half the size as well.
    const call = (config: typeof none) => costOf(config!).gflopPerCall / gflops;
    const validation = 6 * counts.heldOut * (call(none) - call(halfSizeConfig(half!)));
    expect((await estimate(none)) - (await estimate(half))).to.be.closeTo(saved + validation, 1e-6);
    const asked = settings(0.5);
    const { config, seconds } = await planQuickLook(
      { ...asked, training: { progressive: 0.5 } },
      counts,
      speedOf(gflops),
    );
    expect(config.training.progressive).to.equal(0.5);
    expect(seconds).to.be.within(290, 301);
  });

  it("is for commands that leave size and length open", () => {
    expect(
      leavesSizeOpen({ data: { root: "parts", heldOut: 0.2 }, training: { seed: 1, memory: "1GB" } }),
    ).to.equal(true);
    for (const asked of [
      { preset: "quick" },
      { method: "patchcore" },
      { protocol: "paper" },
      { data: { imageSize: 64 } },
      { training: { steps: 5 } },
      { model: { variant: "ddad-s" } },
      { sampling: { steps: 5 } },
    ]) {
      expect(leavesSizeOpen(asked), JSON.stringify(asked)).to.equal(false);
    }
  });
});

describe("speed of an adapter", () => {
  it("counts all work of the network by the size of its feature maps", () => {
    for (const preset of ["quick", "ddad-s"]) {
      const config = resolveConfig({ preset, data: { root: "." } });
      const parts = costParts(config);
      const total = parts.reduce((sum, { gflopOfAll }) => sum + gflopOfAll, 0);
      expect(total).to.be.closeTo(costOf(config).gflopPerCall, 1e-9 * total);
      for (const { gflop, gflopOfAll } of parts) expect(gflop).to.be.at.most(gflopOfAll);
      expect(new Set(parts.map(({ kind, size }) => `${kind} ${size}`)).size).to.equal(parts.length);
    }
  });

  it("is measured on the device, each layer once", async function () {
    this.timeout(60_000);
    testDevice();
    const config = resolveConfig({
      data: { root: ".", imageSize: 32 },
      model: {
        baseChannels: 32,
        heads: 1,
        channelMultipliers: [1, 2],
        blocksPerLevel: 1,
        attentionSizes: [8],
      },
      training: { batchSize: 4 },
    });
    const speed = new AdapterSpeed();
    const first = await speed.estimate(config);
    expect(first.call).to.be.greaterThan(0);
    expect(first.training).to.be.greaterThan(first.call);
    expect(await speed.estimate(config), "remembered").to.deep.equal(first);
    const stop = AbortSignal.abort(new Error("stopped"));
    const error = await speed.estimate(config, { signal: stop }).catch((reason: unknown) => reason);
    expect(String(error)).to.match(/stopped/);
  });
});
