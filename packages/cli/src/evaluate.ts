/** `ddad evaluate`. */
import {
  type CountedRate,
  decisionsOf,
  describeExcess,
  describeExtrapolation,
  describeInterval,
  type Evaluation,
  formatPresorting,
  formatResults,
  formatTable,
} from "@ddad/ddad/internal";
import { evaluateModel, openModel } from "@ddad/node/internal";
import { checkpointOf, type ModelOptions } from "./checkpoint.ts";
import { eventPrinter } from "./events.ts";
import { askedBy, type ConfigOptions } from "./settings.ts";
import { printResult } from "./terminal.ts";

export type EvaluateOptions = ConfigOptions &
  ModelOptions & { readonly out?: string; readonly skipUnreadable?: boolean; readonly json?: boolean };

export async function runEvaluate(options: EvaluateOptions): Promise<void> {
  const { path, model, config } = await openModel(checkpointOf(options, options), askedBy(options));
  const { out, skipUnreadable } = options;
  const evaluation = await evaluateModel(model, config, path, {
    out,
    skipUnreadable,
    onEvent: eventPrinter(),
  });
  printResult(options.json, evaluation.result, describeEvaluation(evaluation));
}

/** The results for people. */
export function describeEvaluation({ result, kinds }: Evaluation): string {
  const percent = (value: number): string => (value * 100).toFixed(1);
  const rows = kinds.map(({ kind, images, auroc, detected }) => [
    kind,
    String(images),
    percent(auroc),
    percent(detected),
  ]);
  const { threshold, data } = result.protocolBlock;
  const { presorting, intervals } = result;
  const { found, falseAlarms } = decisionsOf(result);
  const classes = { good: data.good, defective: result.images - data.good };
  const at = `threshold ${result.threshold.toPrecision(4)}`;
  const level = Number((100 * intervals.level).toFixed(4));
  const describe = ({ rate, count, of, interval }: CountedRate): string =>
    `${percent(rate)} % (${count} of ${of}; ${level} % interval ${describeInterval(interval)})`;
  const extrapolation =
    "images" in threshold ? describeExtrapolation(threshold.images, threshold.falseAlarmRate) : undefined;
  const excess =
    "images" in threshold && falseAlarms
      ? describeExcess(falseAlarms.count, falseAlarms.of, threshold.images, threshold.falseAlarmRate)
      : undefined;
  return [
    formatResults([result]),
    "",
    formatTable(["kind of defect", "images", "AUROC", "found"], rows),
    "",
    ...(falseAlarms ? [`${at}: ${describe(falseAlarms)} of the good images are called defective`] : []),
    `${at}: ${describe(found)} of the defective images are found`,
    ...[extrapolation, excess].filter((sentence) => sentence !== undefined),
    ...(presorting
      ? [
          "",
          "Other thresholds (PGn, PBn), chosen on these test images:",
          "",
          formatPresorting(presorting, classes),
        ]
      : []),
  ].join("\n");
}
