import { averagePool2, type Tensor, upsampleNearest2 } from "@ddad/tensor";
import { Module } from "../module.ts";

/** Doubles height and width: each pixel becomes 2×2 equal ones. */
export class Upsample extends Module {
  /** x [N, H, W, C] → [N, 2H, 2W, C] */
  forward(x: Tensor): Tensor {
    return upsampleNearest2(x);
  }
}

/** Halves height and width: the mean of each 2×2 pixels. */
export class Downsample extends Module {
  /** x [N, H, W, C] → [N, H/2, W/2, C] */
  forward(x: Tensor): Tensor {
    return averagePool2(x);
  }
}
