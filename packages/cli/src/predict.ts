/** `ddad predict`. */
import { join } from "node:path";
import { formatTable } from "@ddad/ddad/internal";
import {
  findImages,
  openModel,
  type Prediction,
  predict,
  thresholdsOf,
  writeWhole,
} from "@ddad/node/internal";
import { checkpointOf, type ModelOptions } from "./checkpoint.ts";
import { eventPrinter } from "./events.ts";
import { printResult } from "./terminal.ts";

export type PredictOptions = ModelOptions & {
  readonly out: string;
  readonly falseAlarmRate?: number;
  readonly json?: boolean;
};

export async function runPredict(path: string, options: PredictOptions): Promise<void> {
  const { out, falseAlarmRate, json } = options;
  const files = findImages(path);
  const { path: checkpoint, model } = await openModel(checkpointOf(options));
  const predictions: Prediction[] = [];
  const stage = { out, falseAlarmRate, onEvent: eventPrinter() };
  for await (const prediction of predict(model, files, stage)) predictions.push(prediction);
  const { config, threshold, pixelThreshold } = thresholdsOf(model, falseAlarmRate);
  const result = { checkpoint, protocol: config.protocol, threshold, pixelThreshold, images: predictions };
  writeWhole(join(out, "predictions.json"), `${JSON.stringify(result, undefined, 2)}\n`);
  const rows = predictions.map(({ file, score, decision, regions }) => [
    file,
    score.toPrecision(4),
    decision ?? "",
    decision === "defective"
      ? regions.map(({ box }) => `${box.width}×${box.height} at ${box.x}, ${box.y}`).join("; ")
      : "",
  ]);
  const text = [
    formatTable(["image", "score", "decision", "where"], rows),
    "",
    ...(threshold === null ? [] : [`defective from ${threshold.toPrecision(4)} on`]),
    `overlays, maps and predictions.json are in ${out}`,
  ];
  printResult(json, result, text.join("\n"));
}
