/** `ddad evaluate`. */
import { dirname, join } from "node:path";
import { currentDevice, setupDevice } from "@ddad/nn";
import { type Calibration, calibrationDifferences, describeExtrapolation } from "../calibration.ts";
import type { Config } from "../config.ts";
import { imageAt } from "../datasets/imageSet.ts";
import type { Inspection } from "../detection.ts";
import { DataError } from "../errors.ts";
import { cropMask, type Evaluation, evaluateInspections, type TestSet } from "../evaluation.ts";
import { writeWhole } from "../files.ts";
import { fromPixels } from "../images/image.ts";
import type { ModelDetector } from "../modelDetector.ts";
import { isImported, type Model } from "../modelFile.ts";
import { detectionRow, type InspectedPicture, rowCaptions } from "../report/detectionRow.ts";
import type { PanelTile } from "../report/panel.ts";
import { formatResults, formatTable } from "../report/results.ts";
import { calibrateAloud } from "./complete.ts";
import { loadHeldOut, loadTest } from "./data.ts";
import { openDetector } from "./detector.ts";
import { type ModelOptions, openModel } from "./model.ts";
import { mapRange, shownBy, writePicture } from "./pictures.ts";
import type { ConfigOptions } from "./settings.ts";
import { Progress, printResult, say } from "./terminal.ts";

export type EvaluateOptions = ConfigOptions &
  ModelOptions & { readonly out?: string; readonly json?: boolean };

export async function runEvaluate(options: EvaluateOptions): Promise<void> {
  const { path, model, config } = await openModel(options, options);
  const evaluation = await evaluateModel(model, config, path, options.out);
  printResult(options.json, evaluation.result, describeEvaluation(evaluation));
}

/**
 * Evaluates a model on the test set of a configuration.
 *
 * @param name file of the model; the folder it lies in may say which pictures it was trained on.
 * @param out folder for results.json and a picture of every inspection; without it nothing is written.
 */
export async function evaluateModel(
  model: Model,
  config: Config,
  name: string,
  out?: string,
): Promise<Evaluation> {
  const test = await loadTest(config, dirname(name));
  await setupDevice();
  using detector = await openDetector(model, config);
  const calibration = await usableCalibration(detector, model, name);
  const progress = new Progress("inspecting", "pictures");
  const gallery = out === undefined ? undefined : new Gallery(out, test, mapRange(calibration, config));
  const ids = test.samples.map(({ id }) => id);
  const inspections = detector.inspect({ images: test.images, ids }, calibration);
  const evaluation = await evaluateInspections(inspections, config, test, {
    calibration,
    adaptedSteps: model.adaptedSteps,
    imported: isImported(model),
    device: currentDevice().name,
    normaliser: detector.normaliser(calibration),
    progress: (done, count) => progress.update(done, count),
    observe: (inspection, index) => gallery?.draw(inspection, index),
  });
  if (out !== undefined) {
    gallery?.finish();
    const { result, kinds, falseAlarms, scores } = evaluation;
    writeWhole(join(out, "results.json"), `${JSON.stringify(result, undefined, 2)}\n`);
    writeWhole(join(out, "scores.json"), `${JSON.stringify({ kinds, falseAlarms, scores }, undefined, 2)}\n`);
  }
  return evaluation;
}

/** A picture of every inspection, named like the test picture, and `overview.png` with the first one of each kind. */
class Gallery {
  readonly #out: string;
  readonly #test: TestSet;
  readonly #scale: ReturnType<typeof mapRange>;
  readonly #overview = new Map<string, PanelTile[]>();

  constructor(out: string, test: TestSet, scale: ReturnType<typeof mapRange>) {
    this.#out = out;
    this.#test = test;
    this.#scale = scale;
  }

  draw({ id, map, mapSize, reconstruction }: Inspection, index: number): void {
    const { images, masks, samples } = this.#test;
    const { size } = images;
    const picture: InspectedPicture = {
      input: shownBy(mapSize, imageAt(images, index)),
      ...(reconstruction && {
        reconstruction: shownBy(mapSize, fromPixels(reconstruction, size, size)),
      }),
      map,
      ...(masks && { mask: mapSize === size ? masks[index]! : cropMask(masks[index]!, size, mapSize) }),
      ...this.#scale,
    };
    writePicture(join(this.#out, id), [detectionRow(picture, rowCaptions)]);
    const { kind } = samples[index]!;
    if (!this.#overview.has(kind)) {
      const captions = this.#overview.size === 0 ? { ...rowCaptions, input: kind } : { input: kind };
      this.#overview.set(kind, detectionRow(picture, captions));
    }
  }

  finish(): void {
    writePicture(join(this.#out, "overview.png"), [...this.#overview.values()]);
  }
}

/** The model's calibration, or a new one where settings of the detection were changed; the paper has none. */
async function usableCalibration(
  detector: ModelDetector,
  model: Model,
  name: string,
): Promise<Calibration | undefined> {
  const { calibration } = model;
  const { config } = detector;
  if (config.protocol === "paper") return undefined;
  const differences = calibration ? calibrationDifferences(calibration, config) : ["never calibrated"];
  if (calibration && differences.length === 0) return calibration;
  const heldOut = await loadHeldOut(config, dirname(name));
  if (heldOut.ids.length < 2) {
    throw new DataError(
      `${name} must be calibrated (${differences.join(", ")}), but ${config.data.root} gives ${heldOut.ids.length} held-out good pictures, and two are needed.`,
    );
  }
  say(`calibrating on ${heldOut.ids.length} held-out pictures: ${differences.join(", ")}`);
  return calibrateAloud(detector, model, heldOut);
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
    "pictures" in threshold ? describeExtrapolation(threshold.pictures, threshold.falseAlarmRate) : undefined;
  return [
    formatResults([result]),
    "",
    formatTable(["kind of defect", "images", "AUROC", "found"], rows),
    "",
    `threshold ${result.threshold.toPrecision(4)}: ${percent(falseAlarms)} % of the good pictures are called defective`,
    ...(extrapolation === undefined ? [] : [extrapolation]),
  ].join("\n");
}
