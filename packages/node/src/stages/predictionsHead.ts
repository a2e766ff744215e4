/** What `predictions.json` says about a whole inspection: enough to find its files and its model again, years later. */
import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { lowestFalseAlarmRate, type Model } from "@ddad/ddad/internal";
import { currentDevice } from "@ddad/nn";
import { type DecisionOptions, type Thresholds, thresholdsOf } from "./predict.ts";

/** The first keys of `predictions.json`. */
export interface PredictionsHead extends Thresholds {
  /** Version of @ddad/node, which inspected. */
  readonly version: string;
  /** When the inspection began: ISO 8601, UTC. */
  readonly started: string;
  /** The folder that relative paths in `checkpoint`, `folder` and `images[].file` start from. */
  readonly workingDirectory: string;
  /** File of the model, as it was given. */
  readonly checkpoint: string;
  /** SHA-256 of that file, in hexadecimal digits. A new calibration changes it. */
  readonly checkpointSha256: string;
  readonly protocol: Model["config"]["protocol"];
  /** Name of the adapter. */
  readonly device: string;
  /** Folder of results, as it was given. */
  readonly folder: string;
  /** Fraction of good images that the threshold was made for; null where there is none, or it was given itself. */
  readonly falseAlarmRate: number | null;
  /** Good images that the model is calibrated on; 0 without a calibration. */
  readonly calibrationImages: number;
}

/** What is known before the first image. Reads the file of the model. Needs a device. */
export async function predictionsHead(
  { path, model }: { readonly path: string; readonly model: Model },
  folder: string,
  options: DecisionOptions & { readonly started?: Date | undefined } = {},
): Promise<PredictionsHead> {
  const { config, calibration, threshold, pixelThreshold } = thresholdsOf(model, options);
  const images = calibration?.scores.length ?? 0;
  return {
    version: versionOfNode(),
    started: (options.started ?? new Date()).toISOString(),
    workingDirectory: resolve(),
    checkpoint: path,
    checkpointSha256: await sha256Of(path),
    protocol: config.protocol,
    device: currentDevice().name,
    folder,
    threshold,
    pixelThreshold,
    falseAlarmRate:
      images === 0 || options.threshold !== undefined
        ? null
        : (config.detection.falseAlarmRate ?? lowestFalseAlarmRate(images)),
    calibrationImages: images,
  };
}

const versionOfNode = (): string =>
  (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string })
    .version;

/** By parts: a bank of patches may have gigabytes. */
async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(path)) hash.update(part as Uint8Array);
  return hash.digest("hex");
}
