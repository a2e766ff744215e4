import type { Tensor } from "@ddad/tensor";
import { Module } from "../module.ts";

/** x · sigmoid(x) */
export class SiLU extends Module {
  forward(x: Tensor): Tensor {
    return x.silu();
  }
}

/** max(x, 0) */
export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return x.relu();
  }
}

/** x · Φ(x), Φ the normal distribution's (not the tanh approximation). */
export class GELU extends Module {
  forward(x: Tensor): Tensor {
    return x.gelu();
  }
}
