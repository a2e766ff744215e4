/** What the nearest good image is found by where a network compares features: what it sees in a small version of an image. */
import { averagePool, compile, evaluate, Module, type Tensor, tensor } from "@ddad/nn";
import { fromPixels, toPixels } from "../images/image.ts";
import { resizeBilinear } from "../images/resize.ts";
import { type Extractor, extractFeatures } from "./features.ts";
import { GoodImages } from "./nearest.ts";

/** Side of that small version: a quarter of the work of 256 pixels. */
const imageSize = 128;

/** Cells along each side over which features are averaged. */
const cells = 4;

const layer = "layer3";

/**
 * The features of an image that the nearest one is found by: those of layer 3 of the image at 128 × 128, averaged over 4 × 4 cells.
 *
 * @param extractor in evaluation mode
 * @param pixels `[size, size, 3]` in [−1, 1]
 * @returns `[4 · 4 · channels]`
 */
export async function searchFeatures(extractor: Extractor, pixels: Float32Array): Promise<Float32Array> {
  // Weights loaded a moment ago must be in the buffers that the compiled function reads.
  if (extractor instanceof Module) await evaluate(...extractor.namedState().values());
  const size = Math.sqrt(pixels.length / 3);
  const small = toPixels(resizeBilinear(fromPixels(pixels, size, size), imageSize, imageSize));
  using image = tensor(small, [1, imageSize, imageSize, 3]);
  using features = await compiledFeatures(extractor)(image);
  return (await features.data()) as Float32Array;
}

/**
 * Good images with the features that they are found by.
 *
 * @param options told after each image; once the signal is aborted, its reason is thrown
 */
export async function withSearchFeatures(
  goodImages: GoodImages,
  extractor: Extractor,
  options: {
    readonly progress?: (done: number, count: number) => void;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<GoodImages> {
  const { count } = goodImages.images;
  let features: Float32Array | undefined;
  for (let index = 0; index < count; index++) {
    options.signal?.throwIfAborted();
    const found = await searchFeatures(extractor, goodImages.pixelsOf(index));
    features ??= new Float32Array(count * found.length);
    features.set(found, index * found.length);
    options.progress?.(index + 1, count);
  }
  return new GoodImages(goodImages.images, features);
}

/** Recorded once for each extractor. */
function compiledFeatures(extractor: Extractor): (image: Tensor) => Promise<Tensor> {
  const known = compiled.get(extractor);
  if (known) return known;
  const made = compile((image: Tensor) => {
    const features = extractFeatures(extractor, image, [layer])[layer];
    const kernelSize = Math.floor(features.shape[1]! / cells);
    return averagePool(features, { kernelSize, stride: kernelSize, padding: 0 });
  });
  compiled.set(extractor, made);
  return made;
}

const compiled = new WeakMap<Extractor, (image: Tensor) => Promise<Tensor>>();
