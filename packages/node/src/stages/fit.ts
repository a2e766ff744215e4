/** PatchCore in the folder of a run: nothing is trained, a memory bank is filled with patches of good images. */
import { join } from "node:path";
import { type Config, PatchCore } from "@ddad/ddad/internal";
import { foldBatchNorm } from "@ddad/nn";
import { formatConfig } from "../configFile.ts";
import { notice, type Progress, progress, type StageOptions } from "../events.ts";
import { writeWhole } from "../files.ts";
import { checkWeights, loadExtractor } from "../model/detector.ts";
import { forgetModel, modelFile, recordFiles } from "../model/open.ts";
import { openDevice } from "../openDevice.ts";
import { lockRun } from "../runLock.ts";
import { completeInto } from "./calibrate.ts";
import { loadTraining } from "./data.ts";

/**
 * Fills a memory bank from the good images of a data set, and writes the model, calibrated on those held out.
 *
 * @param folder of the run
 * @returns how many patches the bank holds, and the seconds that it took
 * @throws DataError where images or weights are missing, or there is no memory for the patches; the reason of the signal, and then
 * nothing is kept of the bank
 */
export async function fitRun(
  folder: string,
  config: Config,
  options: StageOptions = {},
): Promise<{ readonly patches: number; readonly seconds: number }> {
  checkWeights(config);
  using lock = lockRun(folder);
  const { train, heldOut } = await loadTraining(config, folder, options);
  forgetModel(folder);
  const device = await openDevice(options);
  const started = performance.now();
  notice(options, `patches of ${train.ids.length} images (${heldOut.ids.length} held out), ${device.name}`);
  writeWhole(join(folder, "config.yaml"), formatConfig(config));
  lock.keep(recordFiles, (message) => notice(options, message));
  using loaded = (await loadExtractor(config))!;
  using extractor = await foldBatchNorm(loaded);
  const told = new Map<string, Progress>();
  using patchCore = await PatchCore.fit(extractor, train.images, {
    ...config.patchcore,
    progress: (stage, done, count) => {
      options.signal?.throwIfAborted();
      if (!told.has(stage)) told.set(stage, progress(options, stage, ""));
      told.get(stage)!.update(done, count);
    },
  });
  const model = { config, step: 0, weights: patchCore.stateDict(), extractor: await loaded.stateDict() };
  await completeInto(join(folder, modelFile), model, heldOut, options);
  return { patches: patchCore.bank.size, seconds: (performance.now() - started) / 1000 };
}
