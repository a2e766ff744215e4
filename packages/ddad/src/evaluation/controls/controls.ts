/**
 * Controls of an evaluation: scores without a network, on the same images, by the same metrics. A model that is not better than
 * these has learnt nothing useful for these defects, see `compareControls`.
 */
import { type Tensor, tensor } from "@ddad/nn";
import type { Config } from "../../config/schema.ts";
import { type ImageSet, imageAt } from "../../data/imageSet.ts";
import { anomalyMap } from "../../detection/distance.ts";
import { GoodImages } from "../../detection/nearest.ts";
import { type Image, toPixels } from "../../images/image.ts";
import { type BootstrapOptions, imageIntervals } from "../../metrics/bootstrap.ts";
import { auroc, averagePrecision, type Scores } from "../../metrics/curves.ts";
import { type ProtocolPixelResult, ProtocolPixels } from "../../metrics/protocolPixels.ts";
import type { ControlResult } from "../../report/results.ts";
import type { TestSet } from "../evaluation.ts";
import { blurResidual } from "./blurResidual.ts";
import { brightnessScores, meanBrightness } from "./brightness.ts";
import { meanImageDistance, meanOfImages } from "./meanImage.ts";
import { imageDifference } from "./nearestGoodImage.ts";

/** What controls need beside the test set. */
export type ControlOptions = {
  /** Good images that the model was trained on, of the size of the test images; without any, two controls are left out. */
  readonly good?: ImageSet | undefined;
  /** Of the intervals. */
  readonly bootstrap?: BootstrapOptions | undefined;
  /** Looked at before every image; once it is aborted, its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Told after every map. */
  readonly progress?: ((done: number, count: number) => void) | undefined;
};

/** A control that makes a map. */
type MapControl = {
  readonly name: string;
  /** What the distance is computed from, on the device. */
  readonly input: (image: Image) => Tensor;
  /** Distance of an image by its input, `[1, size, size, 1]`; the input itself without it. */
  readonly distance?: (input: Tensor) => Tensor;
};

/**
 * Measures the controls: `brightness`, `blur residual` and, where there are good images, `mean image` and `nearest good image`. Maps get
 * the blur and the crop of the configuration, and the image score is the largest value, as with maps of DDAD.
 *
 * @returns in that order; pixel metrics where the test set has masks and the metric is defined for the maps
 * @throws DataError when no mask has a defective pixel
 * @throws RangeError when a class is missing, or the good images have another size; the reason of the signal
 */
export async function evaluateControls(
  config: Config,
  test: TestSet,
  options: ControlOptions = {},
): Promise<ControlResult[]> {
  const { good, bootstrap, signal, progress } = options;
  const { samples, images } = test;
  if (good && good.count > 0 && good.size !== images.size) {
    throw new RangeError(
      `evaluateControls: the good images have ${good.size} × ${good.size} pixels, but the test images ${images.size} × ${images.size}; load both at data.imageSize.`,
    );
  }
  const labels = samples.map(({ label }) => label);
  const intervals = (scores: Scores): NonNullable<ControlResult["intervals"]> => {
    const { auroc, ap } = imageIntervals(labels, scores, bootstrap);
    return { image: { auroc, ap } };
  };
  const brightness = samples.map((_, i) => meanBrightness(imageAt(images, i)));
  const { direction, scores, image } = brightnessScores(labels, brightness);
  const results: ControlResult[] = [{ name: "brightness", image, intervals: intervals(scores), direction }];
  const controls = mapControls(images.size, good);
  for (const [number, control] of controls.entries()) {
    const measured = await measureMaps(control, config, test, (index) => {
      signal?.throwIfAborted();
      progress?.(number * samples.length + index, controls.length * samples.length);
    });
    results.push({
      name: control.name,
      image: { auroc: auroc(labels, measured.scores), ap: averagePrecision(labels, measured.scores) },
      ...(measured.pixels && { pixel: measured.pixels.pixel }),
      ...(measured.pixels?.exact && { exact: measured.pixels.exact }),
      intervals: intervals(measured.scores),
    });
  }
  progress?.(controls.length * samples.length, controls.length * samples.length);
  return results;
}

function mapControls(size: number, good: ImageSet | undefined): MapControl[] {
  const blurred: MapControl = {
    name: "blur residual",
    input: (image) => tensor(toPixels(image), [1, size, size, 3]),
    distance: blurResidual,
  };
  if (good === undefined || good.count === 0) return [blurred];
  const mean = meanOfImages(good);
  const goodImages = new GoodImages(good);
  const shape = [1, size, size, 1];
  return [
    blurred,
    { name: "mean image", input: (image) => tensor(meanImageDistance(mean, image), shape) },
    {
      name: "nearest good image",
      input: (image) => tensor(imageDifference(image, imageAt(good, goodImages.nearestTo(image))), shape),
    },
  ];
}

/** Scores and pixel metrics of a control. @param before called before every image, with its index */
async function measureMaps(
  { input, distance = (found) => found }: MapControl,
  { protocol, detection }: Config,
  { images, masks, coverage, samples }: TestSet,
  before: (index: number) => void,
): Promise<{ scores: number[]; pixels: ProtocolPixelResult | undefined }> {
  const pixels =
    masks && new ProtocolPixels(protocol, { size: images.size, masks, coverage }, detection.crop);
  const scores: number[] = [];
  for (const index of samples.keys()) {
    before(index);
    using measured = input(imageAt(images, index));
    using map = anomalyMap([{ distance: distance(measured) }], detection);
    const values = (await map.data()) as Float32Array;
    pixels?.add(values, index, Math.sqrt(values.length));
    scores.push(values.reduce((a, b) => Math.max(a, b), -Infinity));
  }
  return { scores, pixels: pixels && definedResult(pixels) };
}

/** None where a metric is undefined for these maps, as the published AUPRO is for maps of one value. */
function definedResult(pixels: ProtocolPixels): ProtocolPixelResult | undefined {
  try {
    return pixels.result([]);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
