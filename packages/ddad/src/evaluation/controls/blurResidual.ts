/** Control: what a blur removes from an image. */
import { gaussianBlur, type Tensor } from "@ddad/nn";
import { blurTaps, pixelDistance } from "../../detection/distance.ts";

/** Standard deviation of the blur in pixels: 1 at 64², in proportion at other sizes, as the default of `detection.blurSigma`. */
export const residualSigma = (size: number): number => size / 64;

/** |x − G_σ x|, mean over channels, of the pixels x of square images. x `[N, H, W, C]` → `[N, H, W, 1]` */
export function blurResidual(x: Tensor): Tensor {
  const sigma = residualSigma(x.shape[1]!);
  return pixelDistance(x, gaussianBlur(x, { sigma, taps: blurTaps(sigma) }));
}
