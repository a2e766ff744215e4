/** `ddad calibrate`. */
import {
  type Calibration,
  falseAlarmThreshold,
  formatChoice,
  formatTable,
  isExtrapolated,
  lowestFalseAlarmRate,
  oneIn,
} from "@ddad/ddad/internal";
import { calibrateModel, openModel, restoreCalibration } from "@ddad/node/internal";
import { checkpointOf, type ModelOptions } from "./checkpoint.ts";
import { eventPrinter } from "./events.ts";
import { untilInterrupted } from "./interrupt.ts";
import { askedBy, type ConfigOptions } from "./settings.ts";
import { printResult, repeatedCommand } from "./terminal.ts";

export type CalibrateOptions = ConfigOptions &
  ModelOptions & {
    readonly good?: string;
    readonly force?: boolean;
    readonly choose?: boolean;
    readonly restore?: boolean;
    readonly skipUnreadable?: boolean;
    readonly json?: boolean;
  };

export async function runCalibrate(options: CalibrateOptions): Promise<void> {
  const { good, force, choose, restore, skipUnreadable } = options;
  const done = await untilInterrupted(
    async (signal) => {
      const opened = await openModel(checkpointOf(options, options), askedBy(options));
      const { path, model, config } = opened;
      const stage = { good, force, choose, skipUnreadable, signal, onEvent: eventPrinter() };
      const result = restore
        ? restoreCalibration(path, model)
        : await calibrateModel(path, { ...model, config }, stage);
      return { ...opened, ...result };
    },
    {
      saving: "leaving the model unchanged",
      stopped: () =>
        `Stopped. The model is unchanged. Run this command to calibrate it: ${repeatedCommand()}`,
    },
  );
  if (done === undefined) return;
  const { path, model, config, calibration, before, choice, leftOut } = done;
  const after = decisionOf(calibration, config.detection.falseAlarmRate);
  const earlier = before && decisionOf(before, model.config.detection.falseAlarmRate);
  const rows = [...(earlier ? [["before", ...cellsOf(earlier)]] : []), ["after", ...cellsOf(after)]];
  const others = otherRates(calibration);
  const settings = others.map(({ falseAlarmRate, threshold }) => [
    `${falseAlarmRate} (${oneIn(falseAlarmRate)})`,
    threshold.toPrecision(4),
  ]);
  const text = [
    ...(choice ? [formatChoice(choice), ""] : []),
    formatTable(["calibration", "good images", "threshold", "false alarms"], rows),
    "",
    ...(others.length > 0 ? [formatTable(["detection.falseAlarmRate", "threshold"], settings), ""] : []),
    `calibrated: ${path}`,
  ];
  printResult(
    options.json,
    {
      ...{ checkpoint: path, ...after, before: earlier ?? null, others },
      ...(choice && { chosen: choice.chosen, present: choice.present }),
      ...(leftOut && { leftOut }),
    },
    text.join("\n"),
  );
}

/** Rates that may be set instead. */
const rates = [0.001, 0.01, 0.02, 0.05, 0.1, 0.2];

/** The thresholds at other rates that the images support. */
const otherRates = ({ scores }: Calibration): Pick<Decision, "falseAlarmRate" | "threshold">[] =>
  rates
    .filter((falseAlarmRate) => !isExtrapolated(scores.length, falseAlarmRate))
    .map((falseAlarmRate) => ({ falseAlarmRate, threshold: falseAlarmThreshold(scores, falseAlarmRate) }));

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
