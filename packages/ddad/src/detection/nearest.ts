/** Good images to compare with: of an inspected image the nearest one is what it should look like. */
import { CheckpointError, type StateDict, type StateEntry } from "@ddad/nn";
import { gatherPixels, type ImageSet, imageAt } from "../data/imageSet.ts";
import type { Image } from "../images/image.ts";
import { resizeBilinear } from "../images/resize.ts";

/** Side to which images are reduced before their pixels are searched. */
const searchSize = 64;

/** Under which a model's file holds the images, and the features that they are found by. */
export const goodImagesNames = ["goodImages", "goodImages.features"] as const;

/** Good training images, and the search for the one nearest to another: that with the smallest sum of squared differences. */
export class GoodImages {
  /** The images, `[count, size, size, 3]` bytes. */
  readonly images: ImageSet;
  /** What `searchFeatures` gives of each, `[count, length]`, where images are found by features. */
  readonly features: Float32Array | undefined;
  /** The images, reduced. */
  #reduced: Uint8Array | undefined;

  /** @throws RangeError where there is no image, or features are not as many for each */
  constructor(images: ImageSet, features?: Float32Array) {
    if (images.count < 1) throw new RangeError("GoodImages: there must be at least one good image.");
    if (features && features.length % images.count !== 0) {
      throw new RangeError(
        `GoodImages: ${features.length} features cannot be divided among ${images.count} images.`,
      );
    }
    this.images = images;
    this.features = features;
  }

  /** @throws CheckpointError where the state of a model holds something else under these names */
  static fromState(state: ReadonlyMap<string, StateEntry>): GoodImages {
    const [images, features] = goodImagesNames.map((name) => state.get(name));
    const [count, height, width, channels] = images?.shape ?? [];
    const fits = images?.shape.length === 4 && height === width && channels === 3;
    const isFeatures = features === undefined || features.data instanceof Float32Array;
    if (
      !fits ||
      !(images.data instanceof Uint8Array) ||
      !isFeatures ||
      features?.shape[0] !== (features && count)
    ) {
      throw new CheckpointError(
        `The good images of a model must be "${goodImagesNames[0]}", bytes [count, size, size, 3], and their features "${goodImagesNames[1]}", floats [count, length]; fit it again.`,
      );
    }
    const set = { count: count!, size: height!, data: images.data };
    return new GoodImages(set, features?.data as Float32Array | undefined);
  }

  /** The images under the name `goodImages`, their features under `goodImages.features`. */
  stateDict(): StateDict {
    const { features } = this;
    const { count, size, data } = this.images;
    return new Map<string, StateEntry>([
      [goodImagesNames[0], { shape: [count, size, size, 3], dtype: "u8", data }],
      ...(features
        ? [
            [
              goodImagesNames[1],
              { shape: [count, features.length / count], dtype: "f32", data: features },
            ] as const,
          ]
        : []),
    ]);
  }

  /**
   * The index of the image whose pixels are nearest, of images reduced to 64 × 64. Parts should lie alike in all of them.
   *
   * @param image of the same size, RGB
   * @throws RangeError where it is of another size
   */
  nearestTo({ width, height, data }: Image): number {
    const { size } = this.images;
    if (width !== size || height !== size) {
      throw new RangeError(
        `GoodImages: an image of ${width} × ${height} pixels was given, but the good images have ${size} × ${size}.`,
      );
    }
    this.#reduced ??= reduce(this.images);
    return nearestRow(this.#reduced, reduce({ count: 1, size, data }));
  }

  /**
   * The index of the image whose features are nearest.
   *
   * @param features of an image, as `searchFeatures` gives them
   * @throws RangeError where these images have none, or of another length
   */
  nearestByFeatures(features: Float32Array): number {
    if (this.features?.length !== this.images.count * features.length) {
      throw new RangeError(
        `GoodImages: ${features.length} features were given, but each of these images has ${(this.features?.length ?? 0) / this.images.count}; make them by withSearchFeatures with the same network.`,
      );
    }
    return nearestRow(this.features, features);
  }

  /** Pixels of an image, `[size, size, 3]` in [−1, 1]. */
  pixelsOf(index: number): Float32Array {
    return gatherPixels(this.images, [index]);
  }
}

/** The row of a table nearest to one; the first among equals. */
function nearestRow(rows: ArrayLike<number>, row: ArrayLike<number>): number {
  let nearest = 0;
  let least = Infinity;
  for (let start = 0; start < rows.length; start += row.length) {
    let distance = 0;
    for (let k = 0; k < row.length && distance < least; k++) distance += (rows[start + k]! - row[k]!) ** 2;
    if (distance < least) [nearest, least] = [start / row.length, distance];
  }
  return nearest;
}

/** Images of at most 64 × 64, as bytes. */
function reduce(images: ImageSet): Uint8Array {
  const { count, size } = images;
  if (size <= searchSize) return images.data;
  const values = searchSize * searchSize * 3;
  const data = new Uint8Array(count * values);
  for (let index = 0; index < count; index++) {
    data.set(resizeBilinear(imageAt(images, index), searchSize, searchSize).data, index * values);
  }
  return data;
}
