/** `ddad calibrate`. */
import { dirname } from "node:path";
import { setupDevice } from "@ddad/nn";
import { falseAlarmThreshold, isExtrapolated } from "../calibration.ts";
import { DataError } from "../errors.ts";
import { completeInto } from "./complete.ts";
import { loadHeldOut } from "./data.ts";
import { type ModelOptions, openModel } from "./model.ts";
import type { ConfigOptions } from "./settings.ts";
import { printResult } from "./terminal.ts";

export type CalibrateOptions = ConfigOptions & ModelOptions & { readonly json?: boolean };

export async function runCalibrate(options: CalibrateOptions): Promise<void> {
  const { path, model, config } = await openModel(options, options);
  if (config.protocol === "paper") {
    throw new DataError(
      "The paper's protocol has no calibration: it weighs distances by their maxima over a batch, and takes the threshold from the test set.",
    );
  }
  const heldOut = await loadHeldOut(config, dirname(path));
  await setupDevice();
  const calibration = await completeInto(path, { ...model, config }, heldOut);
  if (calibration === undefined) {
    throw new DataError(
      `${config.data.root} gives ${heldOut.ids.length} held-out good pictures, but a calibration needs two; data.heldOut of the model is ${config.data.heldOut}.`,
    );
  }
  const { falseAlarmRate } = config.detection;
  const threshold = falseAlarmThreshold(calibration.scores, falseAlarmRate);
  const extrapolated = isExtrapolated(heldOut.ids.length, falseAlarmRate);
  printResult(
    options.json,
    { checkpoint: path, images: heldOut.ids.length, threshold, extrapolated },
    `calibrated on ${heldOut.ids.length} pictures, threshold ${threshold.toPrecision(4)}: ${path}`,
  );
}
