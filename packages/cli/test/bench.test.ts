/** `ddad bench`: what it measures, by shape and by what must hold between the figures. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { evaluate, resnet18, writeSafetensors } from "@ddad/nn";
import { expect } from "chai";
import { writeProcedural } from "../../node/src/datasets/writeProcedural.ts";
import type { InspectionCost, TrainingCost } from "../../node/src/model/measure.ts";
import { ddad, smallSettings } from "./commandLine.ts";

type Printed = InspectionCost & { training: TrainingCost | null; [key: string]: unknown };

/** Eight images to train on, below a folder. */
const goodTiles = (folder: string): string =>
  writeProcedural(folder, { category: "tile", size: 32, train: 8, testGood: 0, testPerDefect: 0 });

describe("ddad bench", () => {
  const small = [...smallSettings, "--repetitions", "2", "--json"];

  it("measures a configuration without images or weights, and estimates its training", async () => {
    const { code, output, errors } = await ddad(
      ...["bench", ...small, "--set", "training.microBatch=1", "--set", "features.network=resnet18"],
    );
    expect(code, errors).to.equal(0);
    expect(errors).to.match(/measuring on /);
    for (const part of ["forward pass", "reconstruction", "inspection", "training step"]) {
      expect(errors, part).to.match(new RegExp(`^measuring one ${part} 0/2$`, "m"));
    }
    const result = JSON.parse(output) as Printed;
    expect(result).to.include({ protocol: "strict", method: "ddad", imageSize: 16, features: "resnet18" });
    const { call, reconstruction, inspection, training, bytes } = result;
    for (const { ms, repetitions } of [call!, reconstruction!, inspection, training!.step!]) {
      expect(ms).to.be.greaterThan(0);
      expect(repetitions).to.equal(2);
    }
    expect(call!.gflops).to.be.closeTo((call!.gflop * 1000) / call!.ms, 1e-6);
    expect(reconstruction!.steps).to.equal(2);
    const { steps, seconds, step, notices } = training!;
    expect(steps).to.equal(4);
    expect(seconds).to.be.closeTo((4 * step!.ms) / 1000, 1e-9);
    expect(step).to.include({ batchSize: 2, microBatch: 1 });
    expect(step!.imagesPerSecond).to.be.closeTo(2000 / step!.ms, 1e-6);
    expect(notices).to.deep.equal([]);
    // At least the weights, three layers of ResNet-18 among them, and in training what the optimiser keeps of its own.
    expect(bytes).to.be.greaterThan(4 * 2.7e6);
    expect(step!.bytes).to.be.greaterThan(0);
  });

  it("measures a trained model, and what is changed about it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ddad-bench-"));
    try {
      const root = goodTiles(folder);
      const out = join(folder, "run");
      const trained = await ddad("train", "--data", root, ...smallSettings, "--out", out);
      expect(trained.code, trained.errors).to.equal(0);
      rmSync(root, { recursive: true });
      const measured = await ddad(
        "bench",
        "--checkpoint",
        out,
        "--repetitions",
        "1",
        "--set",
        "sampling.steps=1",
      );
      expect(measured.code, measured.errors).to.equal(0);
      expect(measured.output).to.match(/^ddad, strict protocol, 16 × 16 pixels, on /);
      expect(measured.output).to.match(/one reconstruction +[\d.]+ +1 +sampling steps: 1/);
      expect(measured.output).to.match(
        /one training step +[\d.]+ +1 +batch 2, 2 at a time: [\d.]+ images\/s/,
      );
      expect(measured.output).to.match(/buffers on the device: inspection [\d.]+ MiB, training [\d.]+ MiB/);
      expect(measured.output).to.match(/training, 4 steps: about [\d.]+ s/);
      const other = await ddad("bench", "--checkpoint", out, "--set", "model.baseChannels=64");
      expect(other.code).to.equal(2);
      expect(other.errors).to.match(/model\.baseChannels is 32 and cannot become 64/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("measures PatchCore by its bank, and has no training to measure", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ddad-bench-"));
    try {
      const root = goodTiles(folder);
      using extractor = resnet18({ lastLayer: "layer3", seed: 4 });
      await evaluate(...extractor.namedState().values());
      const weights = join(folder, "resnet18.safetensors");
      writeFileSync(weights, writeSafetensors(await extractor.stateDict()));
      const method = ["method=patchcore", "features.network=resnet18", `features.weights=${weights}`];
      const settings = [...smallSettings, ...method.flatMap((setting) => ["--set", setting])];
      const out = join(folder, "run");
      const fitted = await ddad("train", "--data", root, ...settings, "--out", out);
      expect(fitted.code, fitted.errors).to.equal(0);
      const measured = await ddad("bench", "--checkpoint", out, "--repetitions", "1", "--json");
      expect(measured.code, measured.errors).to.equal(0);
      const result = JSON.parse(measured.output) as Printed;
      expect(result.training).to.equal(null);
      expect(result).to.not.have.any.keys("call", "reconstruction");
      expect(result.inspection.ms).to.be.greaterThan(0);
      const bare = await ddad("bench", ...settings);
      expect(bare.code).to.equal(2);
      expect(bare.errors).to.match(
        /What method patchcore costs depends on what it keeps: give a model by --checkpoint/,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("refuses to guess what to measure", async () => {
    const { code, errors } = await ddad("bench");
    expect(code).to.equal(2);
    expect(errors).to.match(
      /needs a model or settings, but got neither: pass --checkpoint PATH, --preset NAME /,
    );
  });
});
