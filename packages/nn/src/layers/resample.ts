import { averagePool2, type Tensor, type UpsampleOptions, upsample } from "@ddad/tensor";
import { checkOptions } from "@ddad/tensor/internal";
import { checkFloats } from "../arguments.ts";
import { Module } from "../module.ts";

/** Resizes images, as PyTorch's Upsample. */
export class Upsample extends Module {
  /** Those of `upsample`. */
  readonly options: UpsampleOptions;

  /** @param options size or scaleFactor, mode, alignCorners; default: each pixel becomes 2×2 equal ones */
  constructor(options: UpsampleOptions = { scaleFactor: 2 }) {
    super();
    checkOptions("Upsample", options, ["size", "scaleFactor", "mode", "alignCorners"], "{ scaleFactor: 2 }");
    this.options = options;
  }

  /** x [N, H, W, C] → [N, H', W', C] */
  forward(x: Tensor): Tensor {
    checkFloats("Upsample", "x", x);
    return upsample(x, this.options);
  }
}

/** Halves height and width: the mean of each 2×2 pixels. */
export class Downsample extends Module {
  /** x [N, H, W, C] → [N, H/2, W/2, C] */
  forward(x: Tensor): Tensor {
    checkFloats("Downsample", "x", x);
    return averagePool2(x);
  }
}
