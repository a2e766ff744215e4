import {
  resizeBilinear as kernel,
  type ResizeBilinearAttrs,
  resizeBilinearGradient,
} from "@ddad/kernels-wgsl";
import { checkList } from "../arguments.ts";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";

/** Options of `resizeBilinear`. */
export interface ResizeBilinearOptions {
  /** Whether the corner pixels' centres coincide; else the images' edges do. Default false, as PyTorch's. */
  readonly alignCorners?: boolean;
}

/** Bilinear interpolation of x [N, H, W, C] to another size, without antialiasing (PyTorch's `interpolate`). */
export function resizeBilinear(
  x: Tensor,
  size: readonly [height: number, width: number],
  options: ResizeBilinearOptions = {},
): Tensor {
  const { alignCorners = false } = checkOptions("resizeBilinear", options, ["alignCorners"]);
  checkList("resizeBilinear", "size", size);
  const attrs = { size, alignCorners };
  return record(kernel, { x }, attrs, { x: ({ y }) => resizeBack(y, [x.shape[1]!, x.shape[2]!], attrs) }).y;
}

/** The adjoint, of which the adjoint is the resizing again. */
const resizeBack = (
  gradient: Tensor,
  inputSize: readonly [height: number, width: number],
  attrs: ResizeBilinearAttrs,
): Tensor =>
  record(
    resizeBilinearGradient,
    { gradient },
    { ...attrs, inputSize },
    {
      gradient: ({ xGradient }) =>
        resizeBilinear(xGradient, attrs.size, { alignCorners: attrs.alignCorners }),
    },
  ).xGradient;
