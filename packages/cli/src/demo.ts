/** `ddad demo`: the whole way on generated images: data, training, evaluation, images of what was found. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { decodeModel, resolveConfig } from "@ddad/ddad/internal";
import { readCheckpoint } from "@ddad/nn";
import { evaluateModel, formatDuration, modelFile, trainRun, writeProcedural } from "@ddad/node/internal";
import { describeEvaluation } from "./evaluate.ts";
import { eventPrinter, savesBetween } from "./events.ts";
import { untilInterrupted } from "./interrupt.ts";
import { printResult, repeatedCommand, say } from "./terminal.ts";

export type DemoOptions = { readonly out: string; readonly json?: boolean };

const imageSize = 64;

/** A small network and a short training, for a minute on two cores without a GPU. */
const settings = {
  // The first level costs most, and has as few channels as the network allows; attention over more than 16² tokens would cost more.
  model: {
    baseChannels: 32,
    heads: 1,
    channelMultipliers: [1, 1, 1],
    blocksPerLevel: 1,
    attentionSizes: [16],
  },
  // In the same time, steps of one image learn more than half as many of two (docs/performance.md).
  // It is validated once, at its end: a demo that is stopped starts again.
  training: { steps: 320, batchSize: 1, learningRate: 2e-3, ema: 0.99, checkpointEvery: 320 },
  // After so short a training the noise that is not taken away again counts for more than thin scratches: guided steps without noise.
  sampling: { start: 250, steps: 5, guidance: 1, startNoise: false },
  // The borders of small images, where the network sees less, would be marked here and there.
  detection: { pixelFalseAlarmRate: 2e-4 },
};

export async function runDemo({ out, json }: DemoOptions): Promise<void> {
  const started = performance.now();
  // By a name that no other folder has: what it holds is replaced.
  const data = join(out, "generated-images");
  rmSync(data, { recursive: true, force: true });
  const root = writeProcedural(data, {
    category: "tile",
    size: imageSize,
    train: 60,
    testGood: 16,
    testPerDefect: 6,
  });
  say(`generated images: ${root}`);
  const config = resolveConfig({ data: { root, imageSize }, ...settings });
  const { onEvent, saves } = savesBetween(eventPrinter());
  const evaluation = await untilInterrupted(
    async (signal) => {
      const stage = { signal, onEvent };
      await trainRun(out, config, stage);
      signal.throwIfAborted();
      const path = join(out, modelFile);
      const model = decodeModel(await readCheckpoint(path), path);
      return evaluateModel(model, config, path, { ...stage, out });
    },
    {
      saving: "saving the progress",
      stopped: () => `Stopped. Run this command to start again: ${repeatedCommand()}`,
      saves,
    },
  );
  if (evaluation === undefined) return;
  say(`done in ${formatDuration((performance.now() - started) / 1000)}`);
  printResult(
    json,
    evaluation.result,
    `${describeEvaluation(evaluation)}\n\nmodel, results.json and an image of every inspection are in ${out}`,
  );
}
