/** Activations as layers: each is the function of its name. */
import {
  celu,
  elu,
  type GeluOptions,
  gelu,
  hardSigmoid,
  hardSwish,
  hardTanh,
  leakyRelu,
  logSigmoid,
  logSoftmax,
  mish,
  prelu,
  relu6,
  selu,
  softmax,
  softplus,
  softsign,
  type Tensor,
} from "@ddad/tensor";
import { Module } from "../module.ts";
import { castLike, type Parameter, parameter } from "../parameter.ts";

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

/** x clamped to 0 … 6 */
export class ReLU6 extends Module {
  forward(x: Tensor): Tensor {
    return relu6(x);
  }
}

/** x above 0, else negativeSlope · x */
export class LeakyReLU extends Module {
  readonly negativeSlope: number;

  /** @param negativeSlope default 0.01 */
  constructor(negativeSlope = 0.01) {
    super();
    this.negativeSlope = negativeSlope;
  }

  forward(x: Tensor): Tensor {
    return leakyRelu(x, this.negativeSlope);
  }
}

/** x above 0, else weight · x, with one weight or one a channel (He et al. 2015). */
export class PReLU extends Module {
  /** [channels] or [1] */
  readonly weight: Parameter;

  /** @param channels default 1: one weight for all @param init default 0.25 */
  constructor(channels = 1, init = 0.25) {
    super();
    this.weight = parameter([channels], { init: (count) => new Float32Array(count).fill(init) });
  }

  /** x [..., channels] → the same shape */
  forward(x: Tensor): Tensor {
    return prelu(x, castLike(this.weight, x));
  }
}

/** x above 0, else α (eˣ − 1) */
export class ELU extends Module {
  readonly alpha: number;

  /** @param alpha default 1 */
  constructor(alpha = 1) {
    super();
    this.alpha = alpha;
  }

  forward(x: Tensor): Tensor {
    return elu(x, this.alpha);
  }
}

/** The scaled ELU that keeps mean 0 and variance 1 */
export class SELU extends Module {
  forward(x: Tensor): Tensor {
    return selu(x);
  }
}

/** x above 0, else α (eˣᐟᵅ − 1) */
export class CELU extends Module {
  readonly alpha: number;

  /** @param alpha default 1 */
  constructor(alpha = 1) {
    super();
    this.alpha = alpha;
  }

  forward(x: Tensor): Tensor {
    return celu(x, this.alpha);
  }
}

/** x · Φ(x), Φ the normal distribution's; exact unless `approximate` is "tanh". */
export class GELU extends Module {
  readonly options: GeluOptions;

  constructor(options: GeluOptions = {}) {
    super();
    this.options = options;
  }

  forward(x: Tensor): Tensor {
    return gelu(x, this.options);
  }
}

/** x · tanh(softplus(x)) */
export class Mish extends Module {
  forward(x: Tensor): Tensor {
    return mish(x);
  }
}

/** log(1 + exp(βx)) / β */
export class Softplus extends Module {
  readonly beta: number;

  /** @param beta default 1 */
  constructor(beta = 1) {
    super();
    this.beta = beta;
  }

  forward(x: Tensor): Tensor {
    return this.beta === 1 ? softplus(x) : softplus(x.mul(this.beta)).mul(1 / this.beta);
  }
}

/** x / (1 + |x|) */
export class Softsign extends Module {
  forward(x: Tensor): Tensor {
    return softsign(x);
  }
}

/** The hyperbolic tangent */
export class Tanh extends Module {
  forward(x: Tensor): Tensor {
    return x.tanh();
  }
}

/** 1 / (1 + exp(−x)) */
export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return x.sigmoid();
  }
}

/** log(sigmoid(x)) */
export class LogSigmoid extends Module {
  forward(x: Tensor): Tensor {
    return logSigmoid(x);
  }
}

/** (x + 3) / 6, clamped to 0 … 1 */
export class Hardsigmoid extends Module {
  forward(x: Tensor): Tensor {
    return hardSigmoid(x);
  }
}

/** x · hardSigmoid(x) */
export class Hardswish extends Module {
  forward(x: Tensor): Tensor {
    return hardSwish(x);
  }
}

/** x clamped to min … max */
export class Hardtanh extends Module {
  readonly min: number;
  readonly max: number;

  /** Default −1 … 1. */
  constructor(min = -1, max = 1) {
    super();
    this.min = min;
    this.max = max;
  }

  forward(x: Tensor): Tensor {
    return hardTanh(x, this.min, this.max);
  }
}

/** exp(x) / Σ exp(x) along one axis, the last by default */
export class Softmax extends Module {
  readonly axis: number;

  constructor(axis = -1) {
    super();
    this.axis = axis;
  }

  forward(x: Tensor): Tensor {
    return softmax(x, this.axis);
  }
}

/** The logarithm of `Softmax` */
export class LogSoftmax extends Module {
  readonly axis: number;

  constructor(axis = -1) {
    super();
    this.axis = axis;
  }

  forward(x: Tensor): Tensor {
    return logSoftmax(x, this.axis);
  }
}
