/** From pictures to anomaly maps and scores. */
import { type Tensor, tensor } from "@ddad/nn";
import type { Calibration } from "./calibration.ts";
import type { Config } from "./config.ts";
import { hashText } from "./datasets/random.ts";
import { type Denoiser, scheduleOf } from "./denoiser.ts";
import { anomalyMap, pixelDistance } from "./distance.ts";
import { reconstruct } from "./reconstruction.ts";

/** Pictures by their ids: noise depends on the id, where the protocol draws any. */
export type Pictures = {
  /** Side of the square pictures. */
  readonly size: number;
  readonly ids: readonly string[];
  /** `[ids.length, size, size, 3]` in [−1, 1]. */
  readonly pixels: Float32Array;
};

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
 * Inspects pictures. What is said of a picture does not depend on the others of its batch.
 *
 * @param denoiser in evaluation mode
 * @param calibration divides the distances by what is usual in good pictures; without one they stand as they are.
 */
export async function inspect(
  denoiser: Denoiser,
  config: Config,
  pictures: Pictures,
  calibration?: Calibration,
): Promise<Inspection[]> {
  const { reconstruction, distance } = await measure(denoiser, config, pictures);
  const maps = await mapOf(distance, config, calibration);
  const reconstructed = (await reconstruction.data()) as Float32Array;
  reconstruction.dispose();
  distance.dispose();
  const count = pictures.ids.length;
  const mapSize = Math.sqrt(maps.length / count);
  return pictures.ids.map((id, i) => {
    const map = partOf(maps, i, count);
    return { id, score: largest(map), map, mapSize, reconstruction: partOf(reconstructed, i, count) };
  });
}

/** Calibrates on good pictures that were not trained on, batch by batch. */
export async function calibrate(
  denoiser: Denoiser,
  config: Config,
  batches: Iterable<Pictures>,
): Promise<Calibration> {
  const distances: Float32Array[] = [];
  for (const pictures of batches) {
    const { reconstruction, distance } = await measure(denoiser, config, pictures);
    const values = (await distance.data()) as Float32Array;
    reconstruction.dispose();
    distance.dispose();
    for (let i = 0; i < pictures.ids.length; i++) distances.push(partOf(values, i, pictures.ids.length));
  }
  const pixel = distances.reduce((sum, distance) => sum + largest(distance), 0) / distances.length;
  const { falseAlarmRate: _, ...detection } = config.detection;
  const calibration = { scales: { pixel }, scores: [] as number[], sampling: config.sampling, detection };
  for (const values of distances) {
    const size = Math.sqrt(values.length);
    const distance = tensor(values, [1, size, size, 1]);
    calibration.scores.push(largest(await mapOf(distance, config, calibration)));
    distance.dispose();
  }
  calibration.scores.sort((a, b) => a - b);
  return calibration;
}

/** The reconstruction and its distance from the pictures, both computed. */
async function measure(
  denoiser: Denoiser,
  config: Config,
  { ids, pixels, size }: Pictures,
): Promise<{ reconstruction: Tensor; distance: Tensor }> {
  const input = tensor(pixels, [ids.length, size, size, 3]);
  const reconstruction = await reconstruct(denoiser, input, input, {
    ...config.sampling,
    schedule: scheduleOf(config),
    images: ids.map(hashText),
  });
  const distance = pixelDistance(reconstruction, input);
  await distance.data();
  input.dispose();
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

const partOf = (values: Float32Array, index: number, count: number): Float32Array =>
  values.slice((index * values.length) / count, ((index + 1) * values.length) / count);

const largest = (values: Float32Array): number => values.reduce((a, b) => Math.max(a, b), -Infinity);
