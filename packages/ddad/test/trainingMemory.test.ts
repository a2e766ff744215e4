/** Memory of a training: what is planned against what the device counts, and what fits into a budget. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Memory } from "@ddad/nn";
import { expect } from "chai";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import { costOf } from "../src/config/cost.ts";
import { resolveConfig } from "../src/config/parse.ts";
import type { ConfigInput } from "../src/config/schema.ts";
import { ConfigError, MemoryBudgetError } from "../src/errors.ts";
import { divisorsOf, formatMemory, largestFitting, parseMemory, roomFor } from "../src/memory/budget.ts";
import type { PlannedMemory } from "../src/memory/planned.ts";
import { describeTrainingMemory, stepWithinBudget, type TrainingMemory } from "../src/training/memory.ts";
import { train } from "../src/training/train.ts";
import { Trainer } from "../src/training/trainer.ts";
import { smallImages } from "./small.ts";

const settings = (training: NonNullable<ConfigInput["training"]>): ConfigInput => ({
  data: { root: "parts", imageSize: 32 },
  model: { baseChannels: 32, heads: 1, channelMultipliers: [1, 2], blocksPerLevel: 1, attentionSizes: [8] },
  training: { steps: 6, batchSize: 6, warmup: 0, ...training },
});

/** What is planned for settings, planned and thrown away. */
async function planned(training: NonNullable<ConfigInput["training"]>): Promise<TrainingMemory> {
  const { step, memory } = await stepWithinBudget(resolveConfig(settings(training)));
  step.dispose();
  return memory;
}

/** What a script prints in a process of its own, whose device has held nothing before. */
function measured(script: string, ...args: string[]): unknown {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const node = ["--conditions=@ddad/source", "--import", "tsx", path];
  return JSON.parse(execFileSync(process.execPath, [...node, ...args], { encoding: "utf8", stdio: "pipe" }));
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(3)}MB`;

describe("memory of a training", function () {
  this.timeout(120_000);

  for (const training of [{}, { microBatch: 2 }, { microBatch: 3, recompute: true, ema: 0 }]) {
    it(`is what the device counts after steps and validation: ${JSON.stringify(training)}`, () => {
      const { planned, created, counted } = measured(
        "trainingMemory.ts",
        ...[JSON.stringify(settings(training)), "2", "4"],
      ) as {
        planned: TrainingMemory;
        created: { counted: Memory };
        counted: Memory;
      };
      const held = Object.values(planned.held).reduce((sum, bytes) => sum + bytes, 0);
      // Constants and a mask are 256 bytes each.
      expect(created.counted.liveBytes).to.be.within(held, held + 8192);
      expect(counted.plannedPeakBytes).to.be.within(planned.intermediates, 1.01 * planned.intermediates);
      // After a step what went in and came out waits in the pool, unless another plan has taken it for its own.
      const all = counted.liveBytes + counted.pooledBytes;
      expect(all).to.be.within(0.98 * planned.total, 1.02 * planned.total);
    });
  }

  it("is planned for an adaptation, too", () => {
    const { planned, counted } = measured("adaptationMemory.ts", "1") as {
      planned: PlannedMemory;
      counted: Memory;
    };
    expect(counted.plannedPeakBytes).to.be.within(planned.intermediates, 1.01 * planned.intermediates);
    const all = counted.liveBytes + counted.pooledBytes;
    expect(all).to.be.within(0.98 * planned.total, 1.02 * planned.total);
  });

  it("takes the largest part of a batch that the budget has room for", async () => {
    const whole = await planned({ microBatch: 6 });
    const byThree = await planned({ microBatch: 3 });
    const byOne = await planned({ microBatch: 1 });
    expect(whole.held).to.not.have.property("gradient sums");
    expect(byThree.held["gradient sums"]).to.equal(byThree.held["parameters"]);
    expect(byThree.total).to.be.below(whole.total);
    const found = async (bytes: number) => {
      const { microBatch, recompute, total } = await planned({ memory: megabytes(bytes) });
      expect(total).to.be.at.most(bytes);
      return { microBatch, recompute };
    };
    expect(await found(whole.total + 1e3)).to.deep.equal({ microBatch: 6, recompute: false });
    expect(await found(whole.total - 1e3)).to.deep.equal({ microBatch: 3, recompute: false });
    expect(await found(byThree.total - 1e3)).to.deep.equal({ microBatch: 2, recompute: false });
    expect(await found(byOne.total - 1e3)).to.deep.equal({ microBatch: 1, recompute: true });
  });

  it("takes as many images as the adapter can bind, whatever the budget", async () => {
    const device = testDevice();
    const { largest } = await planned({ microBatch: 3 });
    expect((await planned({ microBatch: 6 })).largest).to.equal(2 * largest);
    const bindable = (bytes: number): void => {
      Object.defineProperty(device, "largestTensor", { value: bytes, configurable: true });
    };
    try {
      bindable(largest);
      expect(await planned({})).to.include({ microBatch: 3, recompute: false });
      expect(await planned({ memory: "1GB" })).to.include({ microBatch: 3, recompute: false });
      expect(await planned({ microBatch: 6 })).to.include({ microBatch: 6 });
      bindable(largest - 1);
      expect(await planned({})).to.include({ microBatch: 2 });
      // Not even one image: which tensor is too large is said when it runs.
      bindable(largest / 3 - 1);
      expect(await planned({})).to.include({ microBatch: 1 });
    } finally {
      Reflect.deleteProperty(device, "largestTensor");
    }
  });

  it("says what is needed, and the cures, where nothing fits", async () => {
    const least = await planned({ microBatch: 1, recompute: true });
    const error = await planned({ memory: "5MB" }).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(MemoryBudgetError).and.to.be.instanceOf(ConfigError);
    expect(error).to.include({ budget: 5e6, needed: least.total });
    expect((error as Error).message).to.match(
      /^training\.memory is 5MB, but 1 image at a time, with gradient checkpointing, takes [\d.]+ MB, of which [\d.]+ MB are held throughout: allow [\d.]+ MB by training\.memory, lower data\.imageSize, take the small network, model\.variant ddad-s or keep no EMA by training\.ema 0 \([\d.]+ MB\)\.$/,
    );
    const allowed = /allow ([\d.]+ MB)/.exec((error as Error).message)![1]!;
    expect(await planned({ memory: allowed })).to.include({ microBatch: 1, recompute: true });
  });

  it("keeps a number of images that is given, or refuses it", async () => {
    const { total } = await planned({ microBatch: 2 });
    expect(await planned({ microBatch: 2, memory: megabytes(total + 1e3) })).to.include({ microBatch: 2 });
    const error = await planned({ microBatch: 2, memory: megabytes(total - 1e3) }).catch((reason) => reason);
    expect((error as Error).message).to.match(
      /but 2 images at a time take .*: allow .*, set training\.recompute to true or leave training\.microBatch out/,
    );
  });

  it("is reported before the first step, and what the budget turned on; the result is that of the parts alone", async () => {
    const { total } = await planned({ microBatch: 1 });
    const budget = resolveConfig(settings({ memory: megabytes(total - 1e3), steps: 1 }));
    const parts = resolveConfig(settings({ microBatch: 1, steps: 1 }));
    const named = smallImages(2, 1);
    const images = { count: 2, size: 32, data: new Uint8Array(2 * 32 * 32 * 3).map((_, i) => (i * 7) % 256) };
    const told: string[] = [];
    const losses: number[] = [];
    for (const config of [budget, parts]) {
      const { loss } = await train({
        config,
        train: { ...named, images },
        heldOut: smallImages(0, 1),
        onMemory: (memory) => told.push(describeTrainingMemory(memory)),
        onNotice: (sentence) => told.push(sentence),
        onProgress: () => told.push("step"),
      });
      losses.push(loss);
    }
    expect(told).to.have.length(5);
    expect(told[0]).to.match(
      /^planned device memory for 1 image at a time, gradient checkpointing: [\d.]+ MB \(parameters [\d.]+ MB, optimiser state [\d.]+ MB, EMA [\d.]+ MB, gradient sums [\d.]+ MB, images and results [\d.]+ kB, intermediates [\d.]+ MB\); the driver and compiled shaders come on top$/,
    );
    expect(told[1]).to.match(
      /^Without computing blocks again .* fits into [\d.]+MB, so training\.recompute is on/,
    );
    expect(told.slice(2)).to.deep.equal(["step", told[3], "step"]);
    expect(losses[0]).to.be.closeTo(losses[1]!, 1e-6 * losses[1]!);
  });

  it("keeps the settings that were given in its states, not what was chosen", async () => {
    const { total } = await planned({ microBatch: 3 });
    const config = resolveConfig(settings({ memory: megabytes(total + 1e3) }));
    using trainer = await Trainer.create(config, smallImages(2, 1));
    expect(trainer.memory.microBatch).to.equal(3);
    expect((await trainer.state()).config).to.deep.equal(config);
  });

  it("is at most 8 GB for the paper's network at 256², by batches of 32", async () => {
    const data = { root: "screw" };
    const config = resolveConfig({ preset: "mvtec/screw", data, training: { memory: "8GB" } });
    expect(config.training.batchSize).to.equal(32);
    // A software adapter would divide the batch further, for Ctrl-C to take effect within seconds.
    const { capabilities } = testDevice();
    Object.defineProperty(testDevice(), "capabilities", {
      value: { ...capabilities, adapterClass: "discrete" },
      configurable: true,
    });
    const started = performance.now();
    const { step, memory } = await stepWithinBudget(config).finally(() => {
      Object.defineProperty(testDevice(), "capabilities", { value: capabilities, configurable: true });
    });
    const seconds = (performance.now() - started) / 1000;
    step.dispose();
    testDevice().buffers.trim();
    console.log(`      ${describeTrainingMemory(memory)} (chosen in ${seconds.toFixed(1)} s)`);
    expect(memory.total).to.be.at.most(8e9);
    expect(memory).to.include({ recompute: false });
    expect(memory.microBatch).to.be.at.least(4);
  });
});

describe("micro-batches of a training", () => {
  it("end within seconds on slow adapters, whose class decides", async () => {
    const device = testDevice();
    const { capabilities } = device;
    const config = resolveConfig({
      data: { root: "screw" },
      model: { variant: "ddad-s" },
      training: { batchSize: 32 },
    });
    expect(costOf(config).gflopPerStep / 32).to.be.within(109, 110);
    const found: number[] = [];
    for (const adapterClass of ["software", "integrated", "discrete"] as const) {
      Object.defineProperty(device, "capabilities", {
        value: { ...capabilities, adapterClass },
        configurable: true,
      });
      try {
        const { step, memory } = await stepWithinBudget(config);
        step.dispose();
        found.push(memory.interruptible);
        expect(memory.microBatch).to.be.at.most(memory.interruptible);
      } finally {
        Object.defineProperty(device, "capabilities", { value: capabilities, configurable: true });
      }
    }
    // 100 and 3000 GFLOP a micro-batch, or one image.
    expect(found).to.deep.equal([1, 16, 32]);
  });
});

describe("amounts of memory", () => {
  it("are read with their unit", () => {
    for (const [text, bytes] of [
      ["8GB", 8e9],
      ["7.5 GiB", 7.5 * 2 ** 30],
      ["500mb", 5e8],
      ["512MiB", 2 ** 29],
    ] as const) {
      expect(parseMemory(text), text).to.equal(bytes);
    }
    for (const text of ["8", "8e9", "0GB", "-1GB", "GB", "8 apples", "8TB", ""]) {
      expect(parseMemory(text), text).to.equal(undefined);
    }
    expect(() => resolveConfig({ data: { root: "parts" }, training: { memory: "8 apples" } })).to.throw(
      ConfigError,
      'training.memory must be an amount with its unit, MB, MiB, GB or GiB, such as 8GB or 7.5GiB, but is "8 apples".',
    );
  });

  it("are written with three digits, and never too small a room is named", () => {
    expect([36_400, 132_057_344, 999_600_000, 7_521_919_744].map(formatMemory)).to.deep.equal([
      "36.4 kB",
      "132 MB",
      "1 GB",
      "7.52 GB",
    ]);
    for (const bytes of [1, 999, 20_150_528, 7_521_919_744]) {
      expect(parseMemory(formatMemory(roomFor(bytes)).replace("kB", "MB"))).to.be.at.least(bytes);
      expect(roomFor(bytes)).to.be.within(bytes, 1.01 * bytes);
    }
  });

  it("are compared with few candidates: the largest, then by powers of two", () => {
    expect(divisorsOf(12)).to.deep.equal([1, 2, 3, 4, 6, 12]);
    const candidates = divisorsOf(96);
    for (const bound of [0, ...candidates, 100]) {
      const asked: number[] = [];
      const found = largestFitting(candidates, (count) => {
        asked.push(count);
        return count <= bound;
      });
      expect(found).to.equal(candidates.findLast((count) => count <= bound));
      expect(asked.length).to.be.at.most(5);
      expect(new Set(asked).size).to.equal(asked.length);
    }
  });
});
