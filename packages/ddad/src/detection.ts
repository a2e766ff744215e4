/** From pictures to anomaly maps and scores. */
import { evaluate, type Tensor, tensor } from "@ddad/nn";
import type { Calibration } from "./calibration.ts";
import type { Config } from "./config.ts";
import { gatherPixels, type ImageSet } from "./datasets/imageSet.ts";
import { hashText } from "./datasets/random.ts";
import { type Denoiser, scheduleOf } from "./denoiser.ts";
import { anomalyMap, pixelDistance } from "./distance.ts";
import { reconstruct } from "./reconstruction.ts";

/** Pictures by their ids, on which their noise depends where the protocol draws any. */
export type Pictures = { readonly images: ImageSet; readonly ids: readonly string[] };

/** What was found in one picture. */
export type Inspection = {
  readonly id: string;
  /** Largest value of the map. */
  readonly score: number;
  /** `[mapSize · mapSize]`; the middle of the picture where the protocol crops. */
  readonly map: Float32Array;
  readonly mapSize: number;
  /** The picture without its defects, `[size, size, 3]` in [−1, 1]. */
  readonly reconstruction: Float32Array;
};

/**
 * Inspects pictures, one at a time: how a kernel divides its sums depends on the size of the batch, and with it the last
 * digits; so what is said of a picture is the same, bit for bit, whatever it is inspected with.
 *
 * @param denoiser in evaluation mode
 * @param calibration divides the distances by what is usual in good pictures; without one they stand as they are.
 */
export async function* inspect(
  denoiser: Denoiser,
  config: Config,
  pictures: Pictures,
  calibration?: Calibration,
): AsyncGenerator<Inspection> {
  for (const [index, id] of pictures.ids.entries()) {
    const { reconstruction, distance } = await measure(denoiser, config, pictures, index);
    const map = await mapOf(distance, config, calibration);
    const reconstructed = (await reconstruction.data()) as Float32Array;
    for (const used of [reconstruction, distance]) used.dispose();
    yield { id, score: largest(map), map, mapSize: Math.sqrt(map.length), reconstruction: reconstructed };
  }
}

/** Calibrates on good pictures that were not trained on. */
export async function calibrate(
  denoiser: Denoiser,
  config: Config,
  pictures: Pictures,
): Promise<Calibration> {
  const distances: Float32Array[] = [];
  for (const index of pictures.ids.keys()) {
    const { reconstruction, distance } = await measure(denoiser, config, pictures, index);
    distances.push((await distance.data()) as Float32Array);
    for (const used of [reconstruction, distance]) used.dispose();
  }
  const pixel = distances.reduce((sum, distance) => sum + largest(distance), 0) / distances.length;
  const { falseAlarmRate: _, ...detection } = config.detection;
  const calibration = { scales: { pixel }, scores: [] as number[], sampling: config.sampling, detection };
  for (const values of distances) {
    using distance = tensor(values, [1, pictures.images.size, pictures.images.size, 1]);
    calibration.scores.push(largest(await mapOf(distance, config, calibration)));
  }
  calibration.scores.sort((a, b) => a - b);
  return calibration;
}

/** The reconstruction of one picture and its distance from it, both computed. */
async function measure(
  denoiser: Denoiser,
  config: Config,
  { ids, images }: Pictures,
  index: number,
): Promise<{ reconstruction: Tensor; distance: Tensor }> {
  using input = tensor(gatherPixels(images, [index]), [1, images.size, images.size, 3]);
  const reconstruction = await reconstruct(denoiser, input, input, {
    ...config.sampling,
    schedule: scheduleOf(config),
    images: [hashText(ids[index]!)],
  });
  const distance = pixelDistance(reconstruction, input);
  await evaluate(distance);
  return { reconstruction, distance };
}

async function mapOf(
  distance: Tensor,
  { detection }: Config,
  calibration?: Calibration,
): Promise<Float32Array> {
  const weight = calibration === undefined ? 1 : 1 / calibration.scales.pixel;
  using map = anomalyMap([{ distance, weight }], detection);
  return (await map.data()) as Float32Array;
}

const largest = (values: Float32Array): number => values.reduce((a, b) => Math.max(a, b), -Infinity);
