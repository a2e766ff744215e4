import type { RandomStream, Tensor } from "@ddad/tensor";
import { Module } from "../module.ts";

/** A module that maps one tensor to one; those without random numbers ignore the second argument. */
export interface Layer extends Module {
  forward(x: Tensor, random?: RandomStream): Tensor;
}

/** Layers in a row; their names in state dicts are their numbers. */
export class Sequential extends Module {
  override readonly torchNames = { layers: "" };
  readonly layers: readonly Layer[];

  constructor(...layers: readonly Layer[]) {
    super();
    this.layers = layers;
  }

  forward(x: Tensor, random?: RandomStream): Tensor {
    return this.layers.reduce((value, layer) => layer.forward(value, random), x);
  }
}
