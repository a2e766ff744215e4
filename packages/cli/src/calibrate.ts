/** `ddad calibrate`. */
import {
  type Calibration,
  falseAlarmThreshold,
  formatTable,
  isExtrapolated,
  lowestFalseAlarmRate,
  oneIn,
} from "@ddad/ddad/internal";
import { calibrateModel, openModel } from "@ddad/node/internal";
import { checkpointOf, type ModelOptions } from "./checkpoint.ts";
import { eventPrinter } from "./events.ts";
import { askedBy, type ConfigOptions } from "./settings.ts";
import { printResult } from "./terminal.ts";

export type CalibrateOptions = ConfigOptions &
  ModelOptions & {
    readonly good?: string;
    readonly force?: boolean;
    readonly skipUnreadable?: boolean;
    readonly json?: boolean;
  };

export async function runCalibrate(options: CalibrateOptions): Promise<void> {
  const { path, model, config } = await openModel(checkpointOf(options, options), askedBy(options));
  const { good, force, skipUnreadable } = options;
  const stage = { good, force, skipUnreadable, onEvent: eventPrinter() };
  const { calibration, before, leftOut } = await calibrateModel(path, { ...model, config }, stage);
  const after = decisionOf(calibration, config.detection.falseAlarmRate);
  const earlier = before && decisionOf(before, model.config.detection.falseAlarmRate);
  const rows = [...(earlier ? [["before", ...cellsOf(earlier)]] : []), ["after", ...cellsOf(after)]];
  printResult(
    options.json,
    { checkpoint: path, ...after, before: earlier ?? null, ...(leftOut && { leftOut }) },
    `${formatTable(["calibration", "good images", "threshold", "false alarms"], rows)}\n\ncalibrated: ${path}`,
  );
}

type Decision = {
  readonly images: number;
  readonly threshold: number;
  readonly falseAlarmRate: number;
  readonly extrapolated: boolean;
};

/** What a calibration decides by. @param rate what was asked for */
function decisionOf({ scores }: Calibration, rate: number | undefined): Decision {
  return {
    images: scores.length,
    threshold: falseAlarmThreshold(scores, rate),
    falseAlarmRate: rate ?? lowestFalseAlarmRate(scores.length),
    extrapolated: isExtrapolated(scores.length, rate),
  };
}

const cellsOf = ({ images, threshold, falseAlarmRate, extrapolated }: Decision): string[] => [
  String(images),
  threshold.toPrecision(4),
  oneIn(falseAlarmRate) + (extrapolated ? " (extrapolated)" : ""),
];
