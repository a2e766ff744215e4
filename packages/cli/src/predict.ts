/** `ddad predict`. */
import { readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  type Calibration,
  type Config,
  describeFalseAlarms,
  isExtrapolated,
  lowestFalseAlarmRate,
} from "@ddad/ddad/internal";
import {
  countPrediction,
  findInputs,
  noCounts,
  openModel,
  openPredictionsFolder,
  type Prediction,
  type PredictionCounts,
  PredictionsFile,
  PredictionsWriter,
  predict,
  predictionsFile,
  predictionsHead,
  shortPath,
  thresholdsOf,
} from "@ddad/node/internal";
import { checkpointOf, type ModelOptions } from "./checkpoint.ts";
import { eventPrinter } from "./events.ts";
import { stopOnInterrupt } from "./interrupt.ts";
import { say, sayResult } from "./terminal.ts";

export type PredictOptions = ModelOptions & {
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly falseAlarmRate?: number;
  readonly threshold?: number;
  readonly overlaySize: number;
  readonly maps: boolean;
  readonly json?: boolean;
};

/** Exit code where some images could not be inspected. */
const someFailed = 3;

export async function runPredict(paths: readonly string[], options: PredictOptions): Promise<void> {
  const { json = false, falseAlarmRate, threshold: asked } = options;
  const { files, skipped } = findInputs(paths);
  if (skipped.length > 0)
    say(`Not inspected, because they hold results: ${skipped.map(shortPath).join(", ")}`);
  const { path: checkpoint, model } = await openModel(checkpointOf(options));
  const out = openPredictionsFolder({ ...options, files });
  const started = new Date();
  const decided = { falseAlarmRate, threshold: asked };
  const { config, calibration, threshold } = thresholdsOf(model, decided);

  using interrupt = stopOnInterrupt();
  const stage = { ...options, out, signal: interrupt.signal, onEvent: eventPrinter() };
  const counts = noCounts();
  const table = new Rows(files.map(({ id }) => id));
  // Nothing is written before the first result: what is wrong with the model shows before that.
  let results: PredictionsFile | undefined;
  let printed: PredictionsWriter | undefined;
  let index = 0;
  try {
    for await (const prediction of predict(model, files, stage)) {
      if (results === undefined) {
        const head = await predictionsHead({ path: checkpoint, model }, out, { ...decided, started });
        results = new PredictionsFile(out, head);
        if (json) printed = new PredictionsWriter(head, (text) => process.stdout.write(text), false);
        else table.heading();
      }
      countPrediction(counts, prediction);
      results.add(prediction);
      if (printed) printed.add(prediction);
      else table.row(files[index]!.id, prediction);
      index++;
    }
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    say(
      `Stopped after ${index} of ${files.length} images${index > 0 ? `; their results are in ${out}` : ""}.`,
    );
    process.exitCode = 130;
  } finally {
    results?.[Symbol.dispose]();
    printed?.end();
    if (results === undefined) dropEmptyFolder(out);
  }
  if (results === undefined) return;
  if (!json) {
    for (const line of summaryOf(counts)) sayResult(line);
    if (threshold !== null) {
      const promised = asked === undefined && calibration ? falseAlarms(calibration, config) : "";
      sayResult(`An image is defective if its score is at least ${threshold.toPrecision(4)}.`);
      if (promised !== "") sayResult(promised);
    }
    const asDefault =
      options.out === undefined && out !== "predictions" ? " (predictions holds earlier results)" : "";
    sayResult(`Overlays, maps and predictions.json are in ${out}${asDefault}.`);
  }
  if (counts.failed > 0 && process.exitCode === undefined) process.exitCode = someFailed;
}

/** How many good parts will be stopped; where the threshold is extrapolated, a notice says so instead. */
function falseAlarms({ scores: { length } }: Calibration, { detection: { falseAlarmRate } }: Config): string {
  if (isExtrapolated(length, falseAlarmRate)) return "";
  return describeFalseAlarms(length, falseAlarmRate ?? lowestFalseAlarmRate(length));
}

/** How many images are what, as sentences. */
function summaryOf({ good, defective, unlike, undecided, failed }: PredictionCounts): string[] {
  const count = good + defective + unlike + undecided + failed;
  const are = (number: number, what: string): string =>
    `${number} of ${count} ${count === 1 ? "image" : "images"} ${number === 1 || count === 1 ? "is" : "are"} ${what}.`;
  return [
    "",
    ...(undecided > 0 ? [`No decision for ${undecided} of ${count} images: there is no threshold.`] : []),
    ...(good + defective + unlike > 0 ? [are(defective, "defective")] : []),
    ...(unlike > 0
      ? [are(unlike, "unlike the training images: look at the camera, the light and the part")]
      : []),
    ...(failed > 0 ? [`${failed} of ${count} images could not be inspected.`] : []),
  ];
}

/** Boxes that a row shows. */
const shownBoxes = 3;

/** Longest name that others are aligned with. */
const widestName = 48;

/** A table whose rows are printed as they come. */
class Rows {
  readonly #width: number;

  constructor(names: readonly string[]) {
    const widest = names.reduce((width, name) => Math.max(width, columnsOf(name)), "image".length);
    this.#width = Math.min(widest, widestName);
  }

  heading(): void {
    this.#print("image", "score", "decision", "where");
  }

  row(name: string, prediction: Prediction): void {
    if ("error" in prediction) {
      const { file, error } = prediction;
      this.#print(name, "", "error", error.startsWith(`${file} `) ? error.slice(file.length + 1) : error);
      return;
    }
    const { score, decision, regions, unlike } = prediction;
    const boxes = regions
      .slice(0, shownBoxes)
      .map(({ box }) => `${box.width}×${box.height} at ${box.x}, ${box.y}`);
    const more = regions.length > shownBoxes ? [`and ${regions.length - shownBoxes} more`] : [];
    this.#print(name, score.toPrecision(4), decision ?? "", unlike ?? [...boxes, ...more].join("; "));
  }

  #print(name: string, score: string, decision: string, where: string): void {
    const gap = " ".repeat(Math.max(this.#width - columnsOf(name), 0));
    const cells = [name + gap, score.padStart(8), decision.padEnd(9), where];
    sayResult(cells.join("  ").trimEnd());
  }
}

/** Columns that a terminal takes for a text: two for a sign of East Asia and for an emoji. */
const columnsOf = (text: string): number =>
  [...text.replace(/[\p{Mn}\p{Cf}]/gu, "")].reduce(
    (columns, sign) =>
      columns +
      (/[\p{Emoji_Presentation}\p{sc=Han}\p{sc=Hangul}\p{sc=Hira}\p{sc=Kana}\uff01-\uff60]/u.test(sign)
        ? 2
        : 1),
    0,
  );

/** Removes the folder of results where none came and nothing else lies in it. */
function dropEmptyFolder(folder: string): void {
  rmSync(join(folder, `${predictionsFile}.partial`), { force: true });
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}
