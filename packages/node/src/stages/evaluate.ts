/** Evaluation of a model on a test set. */
import { dirname, join } from "node:path";
import {
  type Calibration,
  type Config,
  calibrationDifferences,
  cropMask,
  DataError,
  decisionsOf,
  describeControls,
  describeExcess,
  detectionRow,
  type Evaluation,
  evaluateInspections,
  fromPixels,
  type InspectedImage,
  type Inspection,
  imageAt,
  isImported,
  type Model,
  type ModelDetector,
  markDefects,
  type PanelTile,
  type RowCaptions,
  rowCaptions,
  type TestSet,
} from "@ddad/ddad/internal";
import { currentDevice } from "@ddad/nn";
import { notice, progress, type StageOptions } from "../events.ts";
import { writeWhole } from "../files.ts";
import { writePanel } from "../images/writePanel.ts";
import { openDetector } from "../model/detector.ts";
import { openDevice } from "../openDevice.ts";
import { calibrateDetector } from "./calibrate.ts";
import { measureControls } from "./controls.ts";
import { loadHeldOut, loadTest, withGoodImages } from "./data.ts";
import { checkEvaluationFolder, inspectionPath, removeEvaluation } from "./evaluationFolder.ts";
import { describeNotFinite, mapRange, shownBy } from "./images.ts";

/** Options of `evaluateModel`. */
export interface EvaluateOptions extends StageOptions {
  /** Folder for results.json, scores.json and an image of every inspection, instead of those of an earlier one. Default: nothing is written. */
  readonly out?: string | undefined;
}

/**
 * Evaluates a model on the test set of a configuration.
 *
 * @param config the settings to evaluate with, as `openModel` gives them
 * @param path file of the model; the folder it lies in may say which images it was trained on.
 * @returns metrics of all images and of each kind of defect, the score of every image, and how often good ones are false alarms
 * @throws DataError where the test set is missing or does not fit, or was trained on, or its images are in the place of results; the
 * reason of the signal, and then `out` may hold images of inspections, but no results
 */
export async function evaluateModel(
  model: Model,
  config: Config,
  path: string,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { out, signal, onEvent } = options;
  const test = await loadTest(config, dirname(path), options);
  const ids = test.samples.map(({ id }) => id);
  if (out !== undefined) checkEvaluationFolder(out, ids, test.paths);
  await openDevice(options);
  const complete = await withGoodImages(model, config, dirname(path), options);
  using detector = await openDetector(complete, config);
  const calibration = await usableCalibration(detector, model, path, options);
  const controls = await measureControls(config, dirname(path), test, options);
  const told = progress(options, "inspecting", "images");
  const gallery =
    out === undefined ? undefined : new Gallery(out, test, mapRange(calibration, config), captionsOf(config));
  const inspections = untilAborted(
    detector.inspect({ images: test.images, ids }, calibration, { signal }),
    config,
    signal,
  );
  const evaluation = await evaluateInspections(inspections, config, test, {
    calibration,
    controls,
    adaptedSteps: model.adaptedSteps,
    imported: isImported(model),
    device: currentDevice().name,
    normaliser: detector.normaliser(calibration),
    progress: (done, count) => told.update(done, count),
    observe: (inspection, index) => {
      const { id, score, milliseconds } = inspection;
      onEvent?.({ type: "inspected", id, score, milliseconds });
      gallery?.draw(inspection, index);
    },
  });
  tellExcess(evaluation, options);
  for (const sentence of describeControls(evaluation.result)) notice(options, sentence);
  if (out !== undefined) {
    gallery?.finish();
    const { result, kinds, falseAlarms, scores } = evaluation;
    writeWhole(join(out, "results.json"), `${JSON.stringify(result, undefined, 2)}\n`);
    writeWhole(join(out, "scores.json"), `${JSON.stringify({ kinds, falseAlarms, scores }, undefined, 2)}\n`);
  }
  return evaluation;
}

/** Tells where more good test images are called defective than the calibration allows for. */
function tellExcess({ result }: Evaluation, options: StageOptions): void {
  const { threshold } = result.protocolBlock;
  const { falseAlarms } = decisionsOf(result);
  if (!("images" in threshold) || falseAlarms === undefined) return;
  const excess = describeExcess(
    falseAlarms.count,
    falseAlarms.of,
    threshold.images,
    threshold.falseAlarmRate,
  );
  if (excess !== undefined) notice(options, excess);
}

/** Inspections until the signal is aborted, which throws its reason. @throws DataError where a score is not finite */
async function* untilAborted(
  inspections: AsyncIterable<Inspection>,
  config: Config,
  signal: AbortSignal | undefined,
): AsyncGenerator<Inspection> {
  for await (const inspection of inspections) {
    signal?.throwIfAborted();
    const { id, score } = inspection;
    if (!Number.isFinite(score)) throw new DataError(`${id}: ${describeNotFinite(score, config)}`);
    yield inspection;
  }
}

/** Without a reconstruction stands what an image is compared with. */
const captionsOf = ({ method }: Config): Required<RowCaptions> =>
  method === "ddad" ? rowCaptions : { ...rowCaptions, reconstruction: "nearest good" };

/** An image of every inspection, named like the test image, and `overview.png` with the first one of each kind. */
class Gallery {
  readonly #out: string;
  readonly #test: TestSet;
  readonly #scale: ReturnType<typeof mapRange>;
  readonly #captions: Required<RowCaptions>;
  readonly #overview = new Map<string, PanelTile[]>();

  constructor(
    out: string,
    test: TestSet,
    scale: ReturnType<typeof mapRange>,
    captions: Required<RowCaptions>,
  ) {
    this.#captions = captions;
    this.#out = out;
    this.#test = test;
    this.#scale = scale;
  }

  draw({ id, score, map, mapSize, reconstruction }: Inspection, index: number): void {
    if (index === 0) removeEvaluation(this.#out);
    const { images, masks, samples } = this.#test;
    const { size } = images;
    const { thresholds } = this.#scale;
    const image: InspectedImage = {
      input: shownBy(mapSize, imageAt(images, index)),
      ...(reconstruction && {
        reconstruction: shownBy(mapSize, fromPixels(reconstruction, size, size)),
      }),
      map,
      ...(masks && { mask: mapSize === size ? masks[index]! : cropMask(masks[index]!, size, mapSize) }),
      range: this.#scale.range,
      ...(thresholds && { marked: markDefects(map, score >= thresholds.image, thresholds) }),
    };
    writePanel(inspectionPath(this.#out, id), [detectionRow(image, this.#captions)]);
    const { kind } = samples[index]!;
    if (!this.#overview.has(kind)) {
      const captions = this.#overview.size === 0 ? { ...this.#captions, input: kind } : { input: kind };
      this.#overview.set(kind, detectionRow(image, captions));
    }
  }

  finish(): void {
    writePanel(join(this.#out, "overview.png"), [...this.#overview.values()]);
  }
}

/** The model's calibration, or a new one where settings of the detection were changed; the paper has none. */
async function usableCalibration(
  detector: ModelDetector,
  model: Model,
  path: string,
  options: StageOptions,
): Promise<Calibration | undefined> {
  const { calibration } = model;
  const { config } = detector;
  if (config.protocol === "paper") return undefined;
  const differences = calibration ? calibrationDifferences(calibration, config) : ["never calibrated"];
  if (calibration && differences.length === 0) return calibration;
  const heldOut = await loadHeldOut(config, dirname(path), options);
  if (heldOut.ids.length < 2) {
    throw new DataError(
      `${path} must be calibrated (${differences.join(", ")}), but ${config.data.root} gives ${heldOut.ids.length} held-out good images, and two are needed.`,
    );
  }
  notice(options, `calibrating on ${heldOut.ids.length} held-out images: ${differences.join(", ")}`);
  return calibrateDetector(detector, model, heldOut, options);
}
