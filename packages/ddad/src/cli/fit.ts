/** `ddad train --set method=patchcore`: nothing is trained, a bank is filled with patches of good pictures. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { foldBatchNorm, setupDevice } from "@ddad/nn";
import { formatConfig } from "../config/file.ts";
import type { Config } from "../config.ts";
import { DataError } from "../errors.ts";
import { writeWhole } from "../files.ts";
import { PatchCore } from "../patchcore/patchcore.ts";
import { completeInto } from "./complete.ts";
import { loadTraining } from "./data.ts";
import { checkWeights, loadExtractor } from "./detector.ts";
import { forgetModel, modelFile } from "./model.ts";
import { type ConfigOptions, configOf, runFolder } from "./settings.ts";
import { Progress, printResult, say } from "./terminal.ts";
import { checkTuning } from "./tune.ts";

export type FitOptions = ConfigOptions & {
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly tune?: boolean;
  readonly json?: boolean;
};

export async function runFit(options: FitOptions): Promise<void> {
  const config = configOf(options);
  if (options.tune) checkTuning(config);
  const folder = options.out ?? runFolder(config);
  const path = join(folder, modelFile);
  if (existsSync(path) && !options.overwrite) {
    throw new DataError(
      `${folder} already holds a run; replace it by --overwrite, or choose another folder by --out.`,
    );
  }
  const { patches, seconds } = await fitInto(folder, config);
  printResult(
    options.json,
    { method: config.method, patches, seconds, checkpoint: path },
    `kept ${patches} patches in ${seconds.toFixed(0)} s: ${path}`,
  );
}

/** Fills a bank from the good pictures of a data set, and writes the model, calibrated on those held out. */
export async function fitInto(
  folder: string,
  config: Config,
): Promise<{ readonly patches: number; readonly seconds: number }> {
  checkWeights(config);
  const { train, heldOut } = await loadTraining(config, folder);
  forgetModel(folder);
  const device = await setupDevice();
  const started = performance.now();
  say(`patches of ${train.ids.length} pictures (${heldOut.ids.length} held out), ${device.name}`);
  writeWhole(join(folder, "config.yaml"), formatConfig(config));
  using loaded = (await loadExtractor(config))!;
  using extractor = await foldBatchNorm(loaded);
  const progress = new Map<string, Progress>();
  using patchCore = await PatchCore.fit(extractor, train.images, {
    ...config.patchcore,
    progress: (stage, done, count) => {
      if (!progress.has(stage)) progress.set(stage, new Progress(stage, ""));
      progress.get(stage)!.update(done, count);
    },
  });
  const model = { config, step: 0, weights: patchCore.stateDict(), extractor: await loaded.stateDict() };
  await completeInto(join(folder, modelFile), model, heldOut);
  return { patches: patchCore.bank.size, seconds: (performance.now() - started) / 1000 };
}
