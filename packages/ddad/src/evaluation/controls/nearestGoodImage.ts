/** Control: how far an image is from the good image that is nearest by pixels, see `GoodImages`. */
import type { Image } from "../../images/image.ts";

/** |a − b| of pixels in [−1, 1], mean over channels, of two RGB images of one size. @returns `[H · W]` */
export function imageDifference(a: Pick<Image, "data">, b: Pick<Image, "data">): Float32Array {
  return Float32Array.from({ length: a.data.length / 3 }, (_, pixel) => {
    let sum = 0;
    for (let i = 3 * pixel; i < 3 * pixel + 3; i++) sum += Math.abs(a.data[i]! - b.data[i]!);
    return sum / (3 * 127.5);
  });
}
