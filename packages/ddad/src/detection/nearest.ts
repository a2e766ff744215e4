/** Good images to compare with: of an inspected image the nearest one is what it should look like. */
import { CheckpointError, type StateDict, type StateEntry } from "@ddad/nn";
import { gatherPixels, type ImageSet, imageAt, type NamedPixels, sideOf } from "../data/imageSet.ts";
import { fromPixels } from "../images/image.ts";
import { resizeBilinear } from "../images/resize.ts";

/** Side to which images are reduced before they are searched. */
const searchSize = 64;

/**
 * Good training images, and the search for the one nearest to another: the smallest sum of squared differences of pixels, of images
 * reduced to 64 × 64. Parts should lie alike in all of them.
 */
export class GoodImages {
  /** The images, `[count, size, size, 3]` bytes. */
  readonly images: ImageSet;
  /** The same, reduced. */
  readonly #reduced: ImageSet;

  /** @throws RangeError where there is no image */
  constructor(images: ImageSet) {
    if (images.count < 1) throw new RangeError("GoodImages: there must be at least one good image.");
    this.images = images;
    this.#reduced = reduce(images);
  }

  /** @throws CheckpointError where the state of a model holds something else under that name */
  static fromState(state: ReadonlyMap<string, StateEntry>): GoodImages {
    const { shape, data } = state.get(goodImagesName) ?? {};
    const [count, height, width, channels] = shape ?? [];
    if (!(data instanceof Uint8Array) || shape?.length !== 4 || height !== width || channels !== 3) {
      throw new CheckpointError(
        `The good images of a model must be "${goodImagesName}", bytes [count, size, size, 3]; fit it again.`,
      );
    }
    return new GoodImages({ count: count!, size: height!, data });
  }

  /** The images under the name `goodImages`. */
  stateDict(): StateDict {
    const { count, size, data } = this.images;
    return new Map([[goodImagesName, { shape: [count, size, size, 3], dtype: "u8", data }]]);
  }

  /**
   * The index of the nearest image.
   *
   * @param image of the same size
   * @throws RangeError where it is of another size
   */
  nearestTo(image: NamedPixels): number {
    const size = sideOf(image);
    if (size !== this.images.size) {
      throw new RangeError(
        `GoodImages: ${image.id} has ${size} × ${size} pixels, but the good images have ${this.images.size} × ${this.images.size}.`,
      );
    }
    const { data } = reduce({ count: 1, size, data: fromPixels(image.pixels, size, size).data });
    const reduced = this.#reduced.data;
    let nearest = 0;
    let least = Infinity;
    for (let index = 0; index < this.images.count; index++) {
      const start = index * data.length;
      let distance = 0;
      for (let k = 0; k < data.length && distance < least; k++)
        distance += (reduced[start + k]! - data[k]!) ** 2;
      if (distance < least) [nearest, least] = [index, distance];
    }
    return nearest;
  }

  /** Pixels of an image, `[size, size, 3]` in [−1, 1]. */
  pixelsOf(index: number): Float32Array {
    return gatherPixels(this.images, [index]);
  }
}

/** Under which a model's state holds the images. */
export const goodImagesName = "goodImages";

/** Images of at most 64 × 64. */
function reduce(images: ImageSet): ImageSet {
  const { count, size } = images;
  if (size <= searchSize) return images;
  const values = searchSize * searchSize * 3;
  const data = new Uint8Array(count * values);
  for (let index = 0; index < count; index++) {
    data.set(resizeBilinear(imageAt(images, index), searchSize, searchSize).data, index * values);
  }
  return { count, size: searchSize, data };
}
