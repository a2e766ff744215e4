/** `ddad evaluate`. */
import {
  type CountedRate,
  decisionsOf,
  describeExtrapolation,
  describeInterval,
  type Evaluation,
  formatPresorting,
  formatResults,
  formatTable,
} from "@ddad/ddad/internal";
import { evaluateModel, type EvaluateOptions as NodeEvaluateOptions, openModel } from "@ddad/node/internal";
import { checkpointOf, type ModelOptions } from "./checkpoint.ts";
import { eventPrinter } from "./events.ts";
import { untilInterrupted } from "./interrupt.ts";
import { askedBy, type ConfigOptions } from "./settings.ts";
import { outputWidth, printResult, repeatedCommand } from "./terminal.ts";

export type EvaluateOptions = ConfigOptions &
  ModelOptions & { readonly out?: string; readonly skipUnreadable?: boolean; readonly json?: boolean };

export async function runEvaluate(options: EvaluateOptions): Promise<void> {
  const { out, skipUnreadable } = options;
  let inspected = 0;
  const print = eventPrinter();
  const onEvent: NodeEvaluateOptions["onEvent"] = (event) => {
    if (event.type === "inspected") inspected++;
    print(event);
  };
  const kept = (): string =>
    out === undefined || inspected === 0
      ? "Nothing is saved."
      : `${out} holds their images, but no results of this evaluation.`;
  const evaluation = await untilInterrupted(
    async (signal) => {
      const { path, model, config } = await openModel(checkpointOf(options, options), askedBy(options));
      return evaluateModel(model, config, path, { out, skipUnreadable, signal, onEvent });
    },
    {
      saving: "discarding the incomplete evaluation",
      stopped: () =>
        `Stopped after ${inspected} test images. ${kept()} Run this command to evaluate again: ${repeatedCommand()}`,
    },
  );
  if (evaluation === undefined) return;
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
  return [
    formatResults([result], "text", outputWidth()),
    "",
    formatTable(["kind of defect", "images", "AUROC", "found"], rows),
    "",
    ...(falseAlarms ? [`${at}: ${describe(falseAlarms)} of the good images are called defective`] : []),
    `${at}: ${describe(found)} of the defective images are found`,
    ...(extrapolation === undefined ? [] : [extrapolation]),
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
