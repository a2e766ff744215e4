/** Two ways of telling defects as one: their maps and scores, each divided by what it is in good images, are added up. */
import type { Config } from "../config/schema.ts";
import { eachImage, type ImageSource, type NamedImages } from "../data/imageSet.ts";
import { buildCalibration, type Calibration, type CombinedScales } from "./calibration.ts";
import { type Inspection, type InspectOptions, largest } from "./inspect.ts";
import type { ModelDetector } from "./modelDetector.ts";

/**
 * PatchCore and the comparison with the nearest good image.
 *
 * @param patchCore owns the network that both use
 */
export function combinedDetector(
  config: Config,
  patchCore: ModelDetector,
  nearest: ModelDetector,
): ModelDetector {
  async function* inspectAll(
    images: ImageSource,
    calibration: Calibration | undefined,
    scales: CombinedScales,
    options: InspectOptions | undefined,
  ): AsyncGenerator<Inspection> {
    for await (const image of eachImage(images)) {
      const started = performance.now();
      const patches = await only(patchCore.inspect([image], undefined, options));
      const other = await only(nearest.inspect([image], calibration, options));
      yield {
        ...other,
        score: patches.score / scales.patchCoreScore + other.score / scales.nearestMap,
        map: other.map.map((value, k) => value / scales.nearestMap + patches.map[k]! / scales.patchCoreMap),
        milliseconds: performance.now() - started,
      };
    }
  }
  return {
    config,
    inspect: (images, calibration, options) =>
      inspectAll(images, calibration, calibration?.combined ?? unscaled, options),
    async calibrate(images: NamedImages, options) {
      const own = await nearest.calibrate(images, options);
      const found: Inspection[] = [];
      for await (const inspection of patchCore.inspect(images, undefined, options)) found.push(inspection);
      const combined = {
        patchCoreMap: mean(found.map(({ map }) => largest(map))),
        patchCoreScore: mean(found.map(({ score }) => score)),
        nearestMap: mean(own.scores),
      };
      const { scales, whitening, likeness } = own;
      const inspections = inspectAll(images, own, combined, options);
      return buildCalibration(config, inspections, { scales, whitening, likeness, combined });
    },
    normaliser: (calibration) => nearest.normaliser(calibration),
    [Symbol.dispose]() {
      patchCore[Symbol.dispose]();
    },
  };
}

/** Without a calibration both count as they are. */
const unscaled: CombinedScales = { patchCoreMap: 1, patchCoreScore: 1, nearestMap: 1 };

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** The inspection of one image. */
async function only(inspections: AsyncGenerator<Inspection>): Promise<Inspection> {
  const { value } = await inspections.next();
  await inspections.return(undefined);
  return value as Inspection;
}
