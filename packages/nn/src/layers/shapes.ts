/** Layers that change shapes, or nothing. */
import { flatten, type Tensor } from "@ddad/tensor";
import { checkTensor } from "@ddad/tensor/internal";
import { checkSizes } from "../arguments.ts";
import { Module } from "../module.ts";

/** What it is given. */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    checkTensor("Identity", "x", x);
    return x;
  }
}

/**
 * Joins axes into one; default all but the first. Images are flattened as they lie, [H, W, C]: a `Linear` behind it that was trained
 * in PyTorch on flattened [C, H, W] needs its inputs reordered.
 */
export class Flatten extends Module {
  readonly startAxis: number;
  readonly endAxis: number;

  constructor(startAxis = 1, endAxis = -1) {
    super();
    checkSizes("Flatten", { startAxis, endAxis }, -Infinity);
    this.startAxis = startAxis;
    this.endAxis = endAxis;
  }

  /** x [N, H, W, C] → [N, H · W · C] */
  forward(x: Tensor): Tensor {
    return flatten(x, this.startAxis, this.endAxis);
  }
}
