/** `ddad demo`: the whole way on generated images: data, training, evaluation, images of what was found. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { decodeModel, resolveConfig } from "@ddad/ddad/internal";
import { readCheckpoint } from "@ddad/nn";
import { evaluateModel, formatDuration, modelFile, trainRun, writeProcedural } from "@ddad/node/internal";
import { describeEvaluation } from "./evaluate.ts";
import { eventPrinter } from "./events.ts";
import { stopOnInterrupt } from "./interrupt.ts";
import { printResult, say } from "./terminal.ts";

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
  say(`generated images: ${root}`);
  const config = resolveConfig({
    data: { root, imageSize: 32 },
    // Attention over 32² tokens would take more than all the rest.
    model: { baseChannels: 32, heads: 1, channelMultipliers: [1, 2], blocksPerLevel: 1, attentionSizes: [8] },
    training: { steps: 150, batchSize: 4, learningRate: 2e-3, ema: 0.99, checkpointEvery: 50 },
  });
  using interrupt = stopOnInterrupt();
  const stage = { signal: interrupt.signal, onEvent: eventPrinter() };
  await trainRun(out, config, stage);
  if (interrupt.signal.aborted) {
    process.exitCode = 130;
    return;
  }
  const path = join(out, modelFile);
  const evaluation = await evaluateModel(decodeModel(await readCheckpoint(path), path), config, path, {
    ...stage,
    out,
  });
  say(`done in ${formatDuration((performance.now() - started) / 1000)}`);
  printResult(
    json,
    evaluation.result,
    `${describeEvaluation(evaluation)}\n\nmodel, results.json and an image of every inspection are in ${out}`,
  );
}
