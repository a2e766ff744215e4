/** The last step of every training: a model file that needs nothing beside it. */
import { type Calibration, describeExtrapolation } from "../calibration.ts";
import type { Pictures } from "../datasets/imageSet.ts";
import { writeWhole } from "../files.ts";
import type { ModelDetector } from "../modelDetector.ts";
import { encodeModel, isImported, type Model } from "../modelFile.ts";
import { openDetector, withExtractor } from "./detector.ts";
import { formatDuration, say } from "./terminal.ts";

/**
 * Puts into a model what inspecting needs beside its network, and writes it: the extractor's weights, where it has one, and
 * under the strict protocol the calibration on held-out pictures, where there are any.
 */
export async function completeInto(
  path: string,
  given: Model,
  heldOut: Pictures,
): Promise<Calibration | undefined> {
  const model = await withExtractor(given);
  const calibration =
    model.config.protocol === "strict" && heldOut.ids.length >= 2
      ? await calibrated(model, heldOut)
      : undefined;
  writeWhole(path, encodeModel({ ...model, calibration }));
  return calibration;
}

async function calibrated(model: Model, heldOut: Pictures): Promise<Calibration> {
  using detector = await openDetector(model);
  const calibration = await calibrateAloud(detector, model, heldOut);
  const extrapolation = describeExtrapolation(heldOut.ids.length, model.config.detection.falseAlarmRate);
  if (extrapolation !== undefined) say(extrapolation);
  return calibration;
}

/** Calibrates, and says on what. */
export async function calibrateAloud(
  detector: ModelDetector,
  model: Model,
  heldOut: Pictures,
): Promise<Calibration> {
  const started = performance.now();
  const calibration = await detector.calibrate(heldOut);
  const seconds = (performance.now() - started) / 1000;
  say(`calibrated on ${heldOut.ids.length} held-out pictures in ${formatDuration(seconds)}`);
  if (isImported(model)) {
    say(
      "the network was imported: if it was trained with these pictures, more good ones will be called defective than asked for",
    );
  }
  return calibration;
}
