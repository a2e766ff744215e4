import type { RandomStream, Tensor } from "@ddad/tensor";
import { checkTensor } from "@ddad/tensor/internal";
import { checkKind } from "../arguments.ts";
import { Module } from "../module.ts";

/** A module that maps one tensor to one; those without random numbers ignore the second argument. */
export interface Layer extends Module {
  /** One tensor in, one out. `random` is what dropout draws from; default the stream that `setSeed` starts. */
  forward(x: Tensor, random?: RandomStream): Tensor;
}

/** Layers in a row; their names in state dicts are their numbers. */
export class Sequential extends Module {
  override readonly torchNames = { layers: "" };
  /** In the order in which they run. */
  readonly layers: readonly Layer[];

  /** @throws UsageError where one of them is no layer */
  constructor(...layers: readonly Layer[]) {
    super();
    for (const [index, layer] of layers.entries()) {
      const isLayer = typeof layer?.forward === "function";
      checkKind("Sequential", `layer ${index}`, layer, isLayer, "a module with forward(x)");
    }
    this.layers = layers;
  }

  /** What the last layer gives. Every layer gets `random`, and dropout draws from it. */
  forward(x: Tensor, random?: RandomStream): Tensor {
    checkTensor("Sequential", "x", x);
    return this.layers.reduce((value, layer) => layer.forward(value, random), x);
  }
}
