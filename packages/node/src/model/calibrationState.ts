/** Whether results are those of the calibration that the model beside them has now. */
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type Calibration,
  type CalibrationState,
  calibrationText,
  type EvaluationResult,
  falseAlarmThreshold,
  storedCalibrationSchema,
} from "@ddad/ddad/internal";
import { modelFile } from "./open.ts";

/** What the header of a model's file says of its decisions. */
export type ModelDecision = {
  readonly calibration: Calibration;
  /** `detection.falseAlarmRate`. */
  readonly rate: number | undefined;
};

/**
 * Compares a result with a model; undefined where there is none, or the protocol has no calibration.
 *
 * @param model such as `modelBeside` gives
 */
export function calibrationState(
  result: EvaluationResult,
  model: ModelDecision | undefined,
): CalibrationState | undefined {
  const { threshold } = result.protocolBlock;
  if (model === undefined || threshold === undefined || !("images" in threshold)) return undefined;
  const { scores } = model.calibration;
  const same =
    threshold.calibration === undefined
      ? falseAlarmThreshold(scores, threshold.falseAlarmRate) === result.threshold
      : createHash("sha256").update(calibrationText(model.calibration)).digest("hex") ===
        threshold.calibration;
  if (!same) return "another calibration";
  return falseAlarmThreshold(scores, model.rate) === result.threshold
    ? "current"
    : "another false-alarm rate";
}

/** How the model decides that lies in the folder of a file or the one above; undefined where none is, or it is not calibrated. */
export function modelBeside(file: string): ModelDecision | undefined {
  const folder = dirname(file);
  const path = [folder, dirname(folder)].map((at) => join(at, modelFile)).find((at) => existsSync(at));
  const metadata = path === undefined ? undefined : readMetadata(path);
  if (metadata === undefined) return undefined;
  try {
    const config = JSON.parse(metadata["config"] ?? "{}") as { detection?: { falseAlarmRate?: number } };
    const text = metadata["calibration"];
    const { data } = storedCalibrationSchema.safeParse(text === undefined ? undefined : JSON.parse(text));
    return data && { calibration: data, rate: config.detection?.falseAlarmRate };
  } catch {
    // A damaged model is reported when it is opened, not by a report.
    return undefined;
  }
}

/** Largest header that is read. */
const headerLimit = 64 * 2 ** 20;

/** The texts in the header of a safetensors file, without its arrays, which may be large; undefined where it is none. */
function readMetadata(path: string): Readonly<Record<string, string>> | undefined {
  const file = openSync(path, "r");
  try {
    const size = Buffer.alloc(8);
    if (readSync(file, size, 0, 8, 0) < 8) return undefined;
    const length = Number(size.readBigUInt64LE());
    if (length > headerLimit) return undefined;
    const header = Buffer.alloc(length);
    if (readSync(file, header, 0, length, 8) < length) return undefined;
    return (JSON.parse(header.toString("utf8")) as { __metadata__?: Record<string, string> }).__metadata__;
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}
