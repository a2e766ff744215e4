/** `ddad evaluate`. */
import { describeExtrapolation, type Evaluation, formatResults, formatTable } from "@ddad/ddad/internal";
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
export function describeEvaluation({ result, kinds, falseAlarms }: Evaluation): string {
  const percent = (value: number): string => (value * 100).toFixed(1);
  const rows = kinds.map(({ kind, images, auroc, detected }) => [
    kind,
    String(images),
    percent(auroc),
    percent(detected),
  ]);
  const { threshold } = result.protocolBlock;
  const extrapolation =
    "images" in threshold ? describeExtrapolation(threshold.images, threshold.falseAlarmRate) : undefined;
  return [
    formatResults([result]),
    "",
    formatTable(["kind of defect", "images", "AUROC", "found"], rows),
    "",
    `threshold ${result.threshold.toPrecision(4)}: ${percent(falseAlarms)} % of the good images are called defective`,
    ...(extrapolation === undefined ? [] : [extrapolation]),
  ].join("\n");
}
