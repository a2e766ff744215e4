/** `ddad predict`. */
import { join } from "node:path";
import { setupDevice } from "@ddad/nn";
import { describeExtrapolation, falseAlarmThreshold } from "../calibration.ts";
import { imageAt } from "../datasets/imageSet.ts";
import { findImages } from "../datasets/listing.ts";
import { loadImages } from "../datasets/load.ts";
import { writeWhole } from "../files.ts";
import { writeImage } from "../images/png.ts";
import { type DefectRegion, defectRegions } from "../report/defectRegions.ts";
import { encodeNpy } from "../report/npy.ts";
import { outlineMask, overlayHeat } from "../report/overlay.ts";
import { formatTable } from "../report/results.ts";
import { openDetector } from "./detector.ts";
import { type ModelOptions, openModel } from "./model.ts";
import { mapRange, shownBy } from "./pictures.ts";
import { Progress, printResult, say } from "./terminal.ts";

export type PredictOptions = ModelOptions & {
  readonly out: string;
  readonly falseAlarmRate?: number;
  readonly json?: boolean;
};

/** What is said of one picture. */
type Prediction = {
  file: string;
  score: number;
  decision: "good" | "defective" | null;
  /** Marked parts of the picture, in its own pixels; none where the model is not calibrated. */
  regions: DefectRegion[];
  overlay: string;
  /** The map as it was computed, float32, `.npy`. */
  map: string;
};

export async function runPredict(path: string, options: PredictOptions): Promise<void> {
  const files = findImages(path);
  const { path: checkpoint, model } = await openModel(options);
  const { calibration } = model;
  const config = { ...model.config, detection: { ...model.config.detection } };
  if (options.falseAlarmRate !== undefined) config.detection.falseAlarmRate = options.falseAlarmRate;
  const loading = new Progress("pictures", "pictures");
  const size = config.data.imageSize;
  const sizes: { width: number; height: number }[] = [];
  const images = await loadImages(files, size, (done, count, image) => {
    if (image) sizes.push({ width: image.width, height: image.height });
    loading.update(done, count);
  });
  await setupDevice();
  using detector = await openDetector(model, config);
  const { falseAlarmRate } = config.detection;
  const threshold = calibration && falseAlarmThreshold(calibration.scores, falseAlarmRate);
  const extrapolation = calibration && describeExtrapolation(calibration.scores.length, falseAlarmRate);
  if (extrapolation !== undefined) say(extrapolation);
  if (threshold === undefined) {
    const cure =
      config.protocol === "paper"
        ? "the paper's protocol has no threshold but that of a test set"
        : "ddad calibrate does it";
    say(`the model is not calibrated, so nothing is decided; ${cure}`);
  }
  const { range, pixelThreshold = Infinity } = mapRange(calibration, config);
  const predictions: Prediction[] = [];
  const progress = new Progress("inspecting", "pictures");
  const ids = files.map(({ id }) => id);
  for await (const { score, map, mapSize } of detector.inspect({ images, ids }, calibration)) {
    const index = predictions.length;
    const file = files[index]!;
    const name = join(options.out, file.id.replace(/\.png$/i, ""));
    const overlay = `${name}-overlay.png`;
    const heat = overlayHeat(shownBy(mapSize, imageAt(images, index)), map, range);
    const found = Uint8Array.from(map, (value) => Number(value >= pixelThreshold));
    writeImage(overlay, outlineMask(heat, found, [255, 255, 255]));
    writeWhole(`${name}-map.npy`, encodeNpy(map, [mapSize, mapSize]));
    const regions = defectRegions(map, { mapSize, size, ...sizes[index]!, threshold: pixelThreshold });
    const decision = threshold === undefined ? null : score >= threshold ? "defective" : "good";
    predictions.push({ file: file.path, score, decision, regions, overlay, map: `${name}-map.npy` });
    progress.update(predictions.length, files.length);
  }
  const result = {
    checkpoint,
    protocol: config.protocol,
    threshold: threshold ?? null,
    pixelThreshold: Number.isFinite(pixelThreshold) ? pixelThreshold : null,
    images: predictions,
  };
  writeWhole(join(options.out, "predictions.json"), `${JSON.stringify(result, undefined, 2)}\n`);
  const rows = predictions.map(({ file, score, decision, regions }) => [
    file,
    score.toPrecision(4),
    decision ?? "",
    decision === "defective"
      ? regions.map(({ box }) => `${box.width}×${box.height} at ${box.x}, ${box.y}`).join("; ")
      : "",
  ]);
  printResult(
    options.json,
    result,
    [
      formatTable(["picture", "score", "decision", "where"], rows),
      "",
      ...(threshold === undefined ? [] : [`defective from ${threshold.toPrecision(4)} on`]),
      `overlays, maps and predictions.json are in ${options.out}`,
    ].join("\n"),
  );
}
