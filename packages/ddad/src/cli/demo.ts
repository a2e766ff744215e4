/** `ddad demo`: the whole way on generated pictures: data, training, evaluation, pictures of what was found. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readCheckpoint } from "@ddad/nn";
import { resolveConfig } from "../config.ts";
import { writeProcedural } from "../datasets/procedural/write.ts";
import { decodeModel } from "../modelFile.ts";
import { describeEvaluation, evaluateModel } from "./evaluate.ts";
import { modelFile } from "./model.ts";
import { formatDuration, printResult, say } from "./terminal.ts";
import { trainInto } from "./train.ts";

export type DemoOptions = { readonly out: string; readonly json?: boolean };

export async function runDemo({ out, json }: DemoOptions): Promise<void> {
  const started = performance.now();
  const data = join(out, "data");
  if (existsSync(data)) rmSync(data, { recursive: true });
  const root = writeProcedural(data, {
    category: "tile",
    size: 64,
    train: 60,
    testGood: 16,
    testPerDefect: 6,
  });
  say(`generated pictures: ${root}`);
  const config = resolveConfig({
    data: { root, imageSize: 32 },
    // Attention over 32² tokens would take more than all the rest.
    model: { baseChannels: 32, heads: 1, channelMultipliers: [1, 2], blocksPerLevel: 1, attentionSizes: [8] },
    training: { steps: 150, batchSize: 4, learningRate: 2e-3, ema: 0.99, checkpointEvery: 50 },
  });
  const { interrupted } = await trainInto(out, config);
  if (interrupted) {
    process.exitCode = 130;
    return;
  }
  const path = join(out, modelFile);
  const evaluation = await evaluateModel(decodeModel(await readCheckpoint(path), path), config, path, out);
  say(`done in ${formatDuration((performance.now() - started) / 1000)}`);
  printResult(
    json,
    evaluation.result,
    `${describeEvaluation(evaluation)}\n\nmodel, results.json and a picture of every inspection are in ${out}`,
  );
}
