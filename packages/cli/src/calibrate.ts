/** `ddad calibrate`. */
import { falseAlarmThreshold, isExtrapolated } from "@ddad/ddad/internal";
import { calibrateModel, openModel } from "@ddad/node/internal";
import { checkpointOf, type ModelOptions } from "./checkpoint.ts";
import { eventPrinter } from "./events.ts";
import { askedBy, type ConfigOptions } from "./settings.ts";
import { printResult } from "./terminal.ts";

export type CalibrateOptions = ConfigOptions & ModelOptions & { readonly json?: boolean };

export async function runCalibrate(options: CalibrateOptions): Promise<void> {
  const { path, model, config } = await openModel(checkpointOf(options, options), askedBy(options));
  const { calibration, images } = await calibrateModel(
    path,
    { ...model, config },
    { onEvent: eventPrinter() },
  );
  const { falseAlarmRate } = config.detection;
  const threshold = falseAlarmThreshold(calibration.scores, falseAlarmRate);
  const extrapolated = isExtrapolated(images, falseAlarmRate);
  printResult(
    options.json,
    { checkpoint: path, images, threshold, extrapolated },
    `calibrated on ${images} images, threshold ${threshold.toPrecision(4)}: ${path}`,
  );
}
