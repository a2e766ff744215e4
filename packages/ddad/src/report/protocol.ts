/**
 * The protocol block: what a result must say of itself, so that two of them can be compared, or be seen not to be
 * comparable. Everything is plain data and the same for the same run, but the device and the time.
 */

import type { Config, Protocol } from "../config/schema.ts";
import type { Calibration } from "../detection/calibration.ts";
import { isExtrapolated, lowestFalseAlarmRate } from "../detection/falseAlarms.ts";
import { whitenedLayers } from "../detection/whitening.ts";
import type { BootstrapOptions } from "../metrics/bootstrap.ts";

/** Which pixels count as defective. */
export type MaskRule =
  /** Masks resized by nearest neighbour; what is not 0 is defective. */
  | "nearest, any non-zero"
  /** As published: resized with antialiasing; AUROC takes what is above 0, PRO's regions what is 1. */
  | "bilinear, above 0; PRO's regions 1";

/** What a calibration was made on: of an imported model it is not known what it was trained with. */
export type CalibrationImages = "held-out good images" | "good images, perhaps trained with";

/** What a calibration of a model was made on. @param imported whether its network was trained elsewhere. */
export const calibrationImages = (imported = false): CalibrationImages =>
  imported ? "good images, perhaps trained with" : "held-out good images";

/** What the distances are divided by before they are added up. */
export type Normaliser = `constants calibrated on ${CalibrationImages}` | "maxima of the batch" | "none";

/** Which version of a metric a number is. */
export type MetricVersion = "exact" | "200 linear thresholds, as published";

/** What the configuration does not know. */
export type ProtocolFacts = {
  readonly dataset: string;
  readonly category: string;
  /** Test images, and how many of them are good. */
  readonly images: number;
  readonly good: number;
  /** SHA-256 of the test set, see `hashTestSet`. */
  readonly sha256: string;
  /** SHA-256 of the file that divides training, calibration and test, where there is one. */
  readonly split?: string | undefined;
  /** SHA-256 of the files of the test set, where there are files: the same at each size. */
  readonly files?: string | undefined;
  /** Side in pixels of the maps that were scored. */
  readonly scored: number;
  /** Absent from data without ground truth. */
  readonly masks?: MaskRule | undefined;
  readonly normaliser: Normaliser;
  /** Held-out good images that the threshold comes from; without them it was picked on the test set. */
  readonly heldOutScores?: number | undefined;
  /** `hashCalibration` of what the threshold comes from. */
  readonly calibration?: string | undefined;
  /** What sampling and distance were chosen on, where they were. */
  readonly chosenOn?: "synthetic defects" | undefined;
  /** Whether the network was trained elsewhere, so that nothing is known of its training. */
  readonly imported?: boolean | undefined;
  /** Optimiser steps behind the adapted extractor, where it was adapted. */
  readonly adaptedSteps?: number | undefined;
  readonly bootstrap: Required<BootstrapOptions>;
  /** The adapter, where one was used. */
  readonly device?: string | undefined;
  /** Wall time of the evaluation. */
  readonly seconds: number;
};

/** How the numbers of a result were made. */
export type ProtocolBlock = {
  protocol: Protocol;
  method: Config["method"];
  precision: Config["precision"];
  /** Where settings come from, besides what was given. */
  preset?: string;
  /** Present where sampling and distance were chosen without labels. */
  settings?: "chosen on synthetic defects";
  data: {
    dataset: string;
    category: string;
    images: number;
    good: number;
    sha256: string;
    /** SHA-256 of the files of the test set: of the same images at another size it is the same. */
    files?: string;
    /** Fraction of the good training images that was held back; not known of an imported model. */
    heldOut?: number;
    split?: string;
  };
  /** `training` is that of the training and of the adaptation; absent where neither took place here. */
  seeds: { training?: number; sampling: number; split: number; bootstrap: number };
  /** Side in pixels of what the network sees, and of the map that is scored: smaller where it is cropped. */
  resolution: { input: number; scored: number };
  /** Of DDAD. */
  sampling?: Config["sampling"];
  /** Of PatchCore. */
  patchcore?: Config["patchcore"];
  /** The network that compares features, and how many steps it was adapted: 0 where its weights are those it began with. */
  features: {
    network: Config["features"]["network"];
    /** Side to which smaller images are enlarged; absent where none are compared with one, and from files of version 0.1, which enlarged none. */
    imageSize?: number;
    adaptedSteps: number;
  };
  detection: Config["detection"];
  normaliser: Normaliser;
  masks?: MaskRule;
  metrics: {
    image: "exact";
    pixel?: { auroc: MetricVersion; ap: MetricVersion; aupro30: MetricVersion; aupro05: MetricVersion };
    /** Of the intervals: percentile bootstrap over images, good and defective ones apart. */
    bootstrap: { resamples: number; level: number };
  };
  threshold:
    | {
        source: CalibrationImages;
        images: number;
        /** What was asked for, or the lowest that so many images support. */
        falseAlarmRate: number;
        /** Present where so many images cannot support that rate: what it comes to is an assumption. */
        extrapolated?: true;
        /** SHA-256 of the calibration, to know it again. */
        calibration?: string;
      }
    | { source: "test set, largest tpr - fpr" };
  /** How the weights were chosen among those of the training; PatchCore trains none. */
  checkpoint?: "lowest denoising loss on held-out good images" | "last" | "imported, chosen elsewhere";
  device?: string;
  seconds: number;
};

/** The protocol block of a result. */
export function protocolBlock(config: Config, facts: ProtocolFacts): ProtocolBlock {
  const { protocol, method, precision, preset, data, training, sampling, patchcore, detection } = config;
  const { dataset, category, images, good, sha256, split, masks, heldOutScores, bootstrap, device } = facts;
  const { imported = false, adaptedSteps = 0 } = facts;
  const { network, imageSize } = config.features;
  const reconstructs = method === "ddad";
  const compares = network !== "none" && method !== "patchcore";
  return {
    protocol,
    method,
    precision,
    ...(preset !== undefined && { preset }),
    ...(facts.chosenOn && { settings: `chosen on ${facts.chosenOn}` as const }),
    data: {
      ...{ dataset, category, images, good, sha256 },
      ...(facts.files !== undefined && { files: facts.files }),
      ...(!imported && { heldOut: data.heldOut }),
      ...(split !== undefined && { split }),
    },
    seeds: {
      ...((!imported || adaptedSteps > 0) && { training: training.seed }),
      sampling: sampling.seed,
      split: data.splitSeed,
      bootstrap: bootstrap.seed,
    },
    resolution: { input: data.imageSize, scored: facts.scored },
    ...(reconstructs && { sampling }),
    ...((method === "patchcore" || method === "patchcore+nearest") && { patchcore }),
    features: { network, ...(compares && { imageSize }), adaptedSteps },
    detection,
    normaliser: facts.normaliser,
    ...(masks && { masks }),
    metrics: {
      image: "exact",
      ...(masks && {
        pixel: {
          auroc: "exact",
          ap: "exact",
          aupro30: protocol === "paper" ? "200 linear thresholds, as published" : "exact",
          aupro05: "exact",
        },
      }),
      bootstrap: { resamples: bootstrap.resamples, level: bootstrap.level },
    },
    threshold:
      heldOutScores === undefined
        ? { source: "test set, largest tpr - fpr" }
        : {
            source: calibrationImages(imported),
            images: heldOutScores,
            falseAlarmRate: detection.falseAlarmRate ?? lowestFalseAlarmRate(heldOutScores),
            ...(isExtrapolated(heldOutScores, detection.falseAlarmRate) && { extrapolated: true }),
            ...(facts.calibration !== undefined && { calibration: facts.calibration }),
          },
    ...(reconstructs && {
      checkpoint: imported
        ? "imported, chosen elsewhere"
        : protocol === "strict" && data.heldOut > 0
          ? "lowest denoising loss on held-out good images"
          : "last",
    }),
    ...(device !== undefined && { device }),
    seconds: facts.seconds,
  };
}

/** What tells a calibration from others, as text: the scores that thresholds come from, and what distances are divided by. */
export const calibrationText = ({ scores, scales, pixels }: Calibration): string =>
  JSON.stringify([
    scores,
    [scales?.pixel, scales?.feature, ...whitenedLayers.flatMap((layer) => scales?.[layer] ?? [])],
    pixels.map(({ fraction, score }) => [fraction, score]),
  ]);

/** SHA-256 of `calibrationText`, in hexadecimal digits. */
export const hashCalibration = (calibration: Calibration): Promise<string> =>
  sha256(new TextEncoder().encode(calibrationText(calibration)));

/** What is hashed of a test set. */
export type HashedTestSet = {
  readonly samples: readonly { readonly id: string; readonly label: 0 | 1; readonly kind: string }[];
  readonly images: { readonly count: number; readonly data: Uint8Array };
  readonly masks?: readonly Uint8Array[] | undefined;
};

/**
 * SHA-256, in hexadecimal digits, of the test images in their order: ids, labels, kinds, and pixels and masks as they
 * are after the resize, so that it holds for the numbers made of them and not for the format of the files.
 */
export async function hashTestSet({ samples, images, masks }: HashedTestSet): Promise<string> {
  const stride = images.data.length / images.count;
  const parts: string[] = [];
  for (const [i, { id, label, kind }] of samples.entries()) {
    const mask = masks?.[i];
    parts.push(
      id,
      String(label),
      kind,
      await sha256(images.data.subarray(i * stride, (i + 1) * stride)),
      // What is defective, whether it is stored as 1 or as 255.
      mask === undefined ? "" : await sha256(mask.map((value) => (value ? 1 : 0))),
    );
  }
  return sha256(new TextEncoder().encode(JSON.stringify(parts)));
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
