/** The normalisation that networks trained on ImageNet expect of their input. */
import { ShapeError, type Tensor, tensor } from "@ddad/tensor";
import { checkTensor } from "@ddad/tensor/internal";

/** Mean of ImageNet's red, green and blue values in [0, 1], as torchvision's weights use it. */
export const imageNetMean: readonly [number, number, number] = [0.485, 0.456, 0.406];

/** Standard deviation of the same. */
export const imageNetStd: readonly [number, number, number] = [0.229, 0.224, 0.225];

/**
 * Images in [-1, 1] as an extractor wants them: ((x + 1) / 2 − mean) / std, channel by channel.
 *
 * @param images [N, H, W, 3], red, green and blue
 * @returns the same shape
 */
export function normaliseForImageNet(images: Tensor): Tensor {
  checkTensor("normaliseForImageNet", "images", images);
  if (images.shape.length !== 4 || images.shape[3] !== 3) {
    throw new ShapeError(
      `normaliseForImageNet: images must be [N, H, W, 3], but are [${images.shape.join(", ")}]. ` +
        "Repeat a grey channel three times.",
    );
  }
  return images.add(1).mul(0.5).sub(tensor(imageNetMean)).div(tensor(imageNetStd));
}
