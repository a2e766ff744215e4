/**
 * The whitened residual: by how much the features of an image differ from those of its reconstruction, beyond how they differ in
 * good images. A network trained for a short time leaves a systematic pattern in every reconstruction; the cosine of the features
 * sees it everywhere, here it is subtracted.
 *
 * For a layer, with ⟨·⟩ the mean over 3 × 3 positions (zeros around the features count):
 *
 *   Δ = ⟨f(x)⟩ − ⟨f(x̂)⟩,  D = mean over channels of ((Δ − μ) / (σ + 10⁻⁴))²
 *
 * where μ and σ are mean and standard deviation of each channel of Δ over all positions of all held-out good images.
 */
import { type FeatureName, resizeBilinear, type Tensor } from "@ddad/nn";
import * as z from "zod";
import { type Extractor, extractFeatures, patchMeans } from "./features.ts";

/** Layers whose residuals are compared. */
export const whitenedLayers = ["layer1", "layer2", "layer3"] as const satisfies readonly FeatureName[];

/** Added to a standard deviation: a channel that never differs in good images must not count without bounds. */
const leastDeviation = 1e-4;

/** Mean and standard deviation of each channel of a layer's residual in good images. */
export const channelStatisticsSchema = z.strictObject({
  mean: z.array(z.number()).min(1),
  deviation: z.array(z.number().min(0)).min(1),
});

/** Mean and standard deviation of each channel of a layer's residual in good images. */
export type ChannelStatistics = z.infer<typeof channelStatisticsSchema>;

/**
 * Δ of each layer.
 *
 * @param extractor in evaluation mode
 * @param image `[N, H, W, 3]` in [−1, 1]
 * @param reconstruction the same shape
 * @param options the layers, and the side to which smaller images are enlarged first
 * @returns one `[N, h, w, channels]` a layer
 */
export function featureResiduals(
  extractor: Extractor,
  image: Tensor,
  reconstruction: Tensor,
  { layers, imageSize }: { readonly layers: readonly FeatureName[]; readonly imageSize: number },
): Tensor[] {
  const [of, and] = [image, reconstruction].map((pixels) =>
    extractFeatures(extractor, pixels, layers, imageSize),
  ) as [Record<FeatureName, Tensor>, Record<FeatureName, Tensor>];
  return layers.map((layer) => patchMeans(of[layer]).sub(patchMeans(and[layer])));
}

/** What whitens a residual: μ and 1 / (σ + 10⁻⁴), `[C]` each. */
export type WhiteningConstants = { readonly mean: Tensor; readonly weight: Tensor };

/**
 * D of a layer, enlarged to the image.
 *
 * @param residual Δ, `[N, h, w, C]`
 * @param size side of the image
 * @param constants without them the residual stands as it is
 * @returns `[N, size, size, 1]`
 */
export function whitenedDistance(residual: Tensor, size: number, constants?: WhiteningConstants): Tensor {
  const whitened = constants ? residual.sub(constants.mean).mul(constants.weight) : residual;
  return resizeBilinear(whitened.square().mean(3, { keepDims: true }), [size, size]);
}

/** What a residual is multiplied by, for each channel. */
export const whiteningWeights = ({ deviation }: ChannelStatistics): Float32Array =>
  Float32Array.from(deviation, (value) => 1 / (value + leastDeviation));

/** What the residuals of a layer are whitened by. */
export type Whitening = {
  readonly [Layer in (typeof whitenedLayers)[number]]?: ChannelStatistics | undefined;
};

/** Statistics of the residuals of some layers, of all images or of all but one. */
export class ResidualMoments {
  readonly #layers: readonly (typeof whitenedLayers)[number][];
  readonly #moments: ChannelMoments[] = [];

  constructor(layers: readonly (typeof whitenedLayers)[number][]) {
    this.#layers = layers;
  }

  /** Adds the residuals of an image, in the order of the layers. */
  add(residuals: readonly { readonly shape: readonly number[]; readonly data: Float32Array }[]): void {
    for (const [k, { shape, data }] of residuals.entries()) {
      this.#moments[k] ??= new ChannelMoments(shape.at(-1)!);
      this.#moments[k].add(data);
    }
  }

  /** By all images. */
  whitening(): Whitening {
    return this.#byLayer((moments) => moments.statistics());
  }

  /** By all images but one, see `ChannelMoments`. */
  whiteningWithout(index: number): Whitening {
    return this.#byLayer((moments) => moments.statisticsWithout(index));
  }

  #byLayer(statistics: (moments: ChannelMoments) => ChannelStatistics): Whitening {
    return Object.fromEntries(this.#layers.map((layer, k) => [layer, statistics(this.#moments[k]!)]));
  }
}

/** Count, mean and sum of squared deviations of each channel. */
type Moments = { count: number; readonly mean: Float64Array; readonly squares: Float64Array };

/**
 * Mean and standard deviation of each channel, of values that come image by image: each image's own by two passes in float64, joined,
 * and taken out again, as by Chan, Golub and LeVeque ("Updating formulae and a pairwise algorithm for computing sample variances", 1979).
 */
export class ChannelMoments {
  readonly #all: Moments;
  readonly #images: Moments[] = [];

  constructor(channels: number) {
    this.#all = noMoments(channels);
  }

  /** Adds the values of an image, `[positions · channels]`. */
  add(values: Float32Array): void {
    const all = this.#all;
    const image = momentsOf(values, all.mean.length);
    this.#images.push(image);
    const total = all.count + image.count;
    for (let c = 0; c < all.mean.length; c++) {
      const difference = image.mean[c]! - all.mean[c]!;
      all.mean[c]! += (difference * image.count) / total;
      all.squares[c]! += image.squares[c]! + (difference ** 2 * all.count * image.count) / total;
    }
    all.count = total;
  }

  /** Of all images. */
  statistics(): ChannelStatistics {
    return statisticsOf(this.#all);
  }

  /** Of all images but one, by its number in the order in which they came; of all where there is no other. */
  statisticsWithout(index: number): ChannelStatistics {
    const { count, mean, squares } = this.#all;
    const image = this.#images[index]!;
    const left = noMoments(mean.length);
    left.count = count - image.count;
    if (left.count === 0) return this.statistics();
    for (let c = 0; c < mean.length; c++) {
      left.mean[c] = (count * mean[c]! - image.count * image.mean[c]!) / left.count;
      const difference = image.mean[c]! - left.mean[c]!;
      const between = (difference ** 2 * left.count * image.count) / count;
      left.squares[c] = Math.max(0, squares[c]! - image.squares[c]! - between);
    }
    return statisticsOf(left);
  }
}

const noMoments = (channels: number): Moments => ({
  count: 0,
  mean: new Float64Array(channels),
  squares: new Float64Array(channels),
});

function momentsOf(values: Float32Array, channels: number): Moments {
  const { mean, squares } = noMoments(channels);
  const count = values.length / channels;
  for (let start = 0; start < values.length; start += channels) {
    for (let c = 0; c < channels; c++) mean[c]! += values[start + c]! / count;
  }
  for (let start = 0; start < values.length; start += channels) {
    for (let c = 0; c < channels; c++) squares[c]! += (values[start + c]! - mean[c]!) ** 2;
  }
  return { count, mean, squares };
}

const statisticsOf = ({ count, mean, squares }: Moments): ChannelStatistics => ({
  mean: [...mean],
  deviation: Array.from(squares, (sum) => Math.sqrt(sum / count)),
});
