/** Pixel metrics of an evaluation, by the protocol's rule for masks and its version of AUPRO. */
import { cropRange } from "../detection/distance.ts";
import { DataError } from "../errors.ts";
import type { MaskRule } from "../report/protocol.ts";
import type { ExactPixels, PixelScores } from "../report/results.ts";
import { PixelMetrics } from "./pixelMetrics.ts";
import type { ImageCounts, PixelAreas } from "./pixelSweep.ts";
import { PublishedPixelMetrics } from "./published.ts";

/** Ground truth of a test set, `[size · size]` bytes for every image. */
export type GroundTruth = {
  /** Side in pixels. */
  readonly size: number;
  /** What is not 0 is defective; all 0 for a good image. */
  readonly masks: readonly Uint8Array[];
  /**
   * What the published code's antialiased resize makes of the masks, 0 … 255; the paper's protocol measures with it
   * and takes whole pixels from `masks` without it.
   */
  readonly coverage?: readonly Uint8Array[] | undefined;
};

export type ProtocolPixelResult = {
  pixel: PixelScores;
  /** What the exact definition gives where `pixel` holds a published version. */
  exact?: ExactPixels;
  /** Areas for every weighting, exact ones, up to 0.3 and 0.05. */
  weighted: (PixelAreas | undefined)[];
};

/** Collects the maps of a test set in its order; only what metrics need stays of them. */
export class ProtocolPixels {
  readonly rule: MaskRule;
  readonly #truth: (index: number) => Uint8Array;
  readonly #strict = new PixelMetrics();
  readonly #published: PublishedPixelMetrics | undefined;

  /**
   * @param crop side of the middle square that is scored; 0 where all is.
   * @throws DataError when nothing that is scored is defective: better now than after hours of inspecting.
   */
  constructor(protocol: "strict" | "paper", { size, masks, coverage }: GroundTruth, crop: number) {
    const fractions = protocol === "paper" ? coverage : undefined;
    this.rule = fractions ? "bilinear, above 0; PRO's regions 1" : "nearest, any non-zero";
    this.#published = protocol === "paper" ? new PublishedPixelMetrics() : undefined;
    this.#truth = (index) => cropMask(fractions?.[index] ?? binary(masks[index]!), size, crop);
    const least = protocol === "paper" ? 255 : 1; // the published PRO counts whole pixels
    if (masks.some((_, index) => this.#truth(index).some((value) => value >= least))) return;
    throw new DataError(
      `No mask has a ${least === 255 ? "wholly " : ""}defective pixel at a size of ${size}${crop ? `, cropped to ${crop}` : ""}, ` +
        "so pixel metrics are undefined; use larger images, or leave the ground truth out.",
    );
  }

  /** Adds the map of image `index`, `[width · width]`. @throws RangeError as `PixelMetrics.add`. */
  add(map: Float32Array, index: number, width: number): void {
    const truth = this.#truth(index);
    if (this.#published === undefined) this.#strict.add(map, truth, width);
    else
      this.#published.add(
        map,
        new Float32Array(truth).map((value) => value / 255),
        width,
      );
  }

  /** The metrics of all images, and areas for parts and resamples of them. @throws RangeError */
  result(weightings: readonly ImageCounts[]): ProtocolPixelResult {
    const pixels = this.#published?.exact ?? this.#strict;
    const { auroc, ap, aupro, weighted } = pixels.result({ limits: [0.3, 0.05], weightings });
    const [aupro30, aupro05] = aupro as [number, number];
    if (this.#published === undefined) return { pixel: { auroc, ap, aupro30, aupro05 }, weighted };
    const { pro } = this.#published.pro();
    return { pixel: { auroc, ap, aupro30: pro, aupro05 }, exact: { aupro30 }, weighted };
  }
}

const binary = (mask: Uint8Array): Uint8Array => mask.map((value) => (value ? 255 : 0));

/** The part of a mask that a cropped map shows; what lies outside the image is good. */
export function cropMask(mask: Uint8Array, size: number, crop: number): Uint8Array {
  if (crop === 0) return mask;
  const { start, before } = cropRange(size, crop);
  const corner = start - before; // row and column of the first pixel, negative where the map was padded
  const [from, to] = [Math.max(corner, 0), Math.min(corner + crop, size)];
  const cropped = new Uint8Array(crop * crop);
  for (let y = from; y < to; y++) {
    cropped.set(mask.subarray(y * size + from, y * size + to), (y - corner) * crop + from - corner);
  }
  return cropped;
}
