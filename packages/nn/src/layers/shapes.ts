/** Layers that change shapes, or nothing. */
import { flatten, type Tensor } from "@ddad/tensor";
import { checkTensor } from "@ddad/tensor/internal";
import { checkSizes } from "../arguments.ts";
import { Module } from "../module.ts";

/** What it is given. */
export class Identity extends Module {
  /** Returns x itself. */
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
  /** The first axis that is merged. */
  readonly startAxis: number;
  /** The last axis that is merged. */
  readonly endAxis: number;

  /**
   * @param startAxis the first axis that is merged; default 1, which keeps the batch
   * @param endAxis the last one; default the last axis of x
   */
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
