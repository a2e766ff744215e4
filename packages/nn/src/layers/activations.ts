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
  mul,
  prelu,
  relu,
  relu6,
  selu,
  sigmoid,
  silu,
  softmax,
  softplus,
  softsign,
  type Tensor,
  tanh,
} from "@ddad/tensor";
import { checkOptions } from "@ddad/tensor/internal";
import { checkChannels, checkFloats, checkNumbers, checkSizes } from "../arguments.ts";
import { Module } from "../module.ts";
import { castLike, type Parameter, parameter } from "../parameter.ts";

/** x · sigmoid(x) */
export class SiLU extends Module {
  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return silu(x);
  }
}

/** max(x, 0) */
export class ReLU extends Module {
  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return relu(x);
  }
}

/** x clamped to 0 … 6 */
export class ReLU6 extends Module {
  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return relu6(x);
  }
}

/** x above 0, else negativeSlope · x */
export class LeakyReLU extends Module {
  /** Slope for x < 0. */
  readonly negativeSlope: number;

  /** @param negativeSlope default 0.01 */
  constructor(negativeSlope = 0.01) {
    super();
    checkNumbers("LeakyReLU", { negativeSlope }, -Infinity);
    this.negativeSlope = negativeSlope;
  }

  /** x of any shape → the same shape */
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
    checkSizes("PReLU", { channels });
    checkNumbers("PReLU", { init }, -Infinity);
    this.weight = parameter([channels], { init: (count) => new Float32Array(count).fill(init) });
  }

  /** x [..., channels] → the same shape */
  forward(x: Tensor): Tensor {
    checkFloats("PReLU", "x", x);
    if (this.weight.size > 1) checkChannels("PReLU", x, this.weight.size);
    return prelu(x, castLike(this.weight, x));
  }
}

/** x above 0, else α (eˣ − 1) */
export class ELU extends Module {
  /** The limit for x → −∞ is −alpha. */
  readonly alpha: number;

  /** @param alpha default 1 */
  constructor(alpha = 1) {
    super();
    checkNumbers("ELU", { alpha }, -Infinity);
    this.alpha = alpha;
  }

  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return elu(x, this.alpha);
  }
}

/** The scaled ELU that keeps mean 0 and variance 1 */
export class SELU extends Module {
  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return selu(x);
  }
}

/** x above 0, else α (eˣᐟᵅ − 1) */
export class CELU extends Module {
  /** The limit for x → −∞ is −alpha. */
  readonly alpha: number;

  /** @param alpha default 1 */
  constructor(alpha = 1) {
    super();
    checkNumbers("CELU", { alpha }, -Infinity);
    this.alpha = alpha;
  }

  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return celu(x, this.alpha);
  }
}

/** x · Φ(x), Φ the normal distribution's; exact unless `approximate` is "tanh". */
export class GELU extends Module {
  /** Which formula is used. */
  readonly options: GeluOptions;

  /** Default: the exact formula, with erf. */
  constructor(options: GeluOptions = {}) {
    super();
    checkOptions("GELU", options, ["approximate"], '{ approximate: "tanh" }');
    this.options = options;
  }

  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return gelu(x, this.options);
  }
}

/** x · tanh(softplus(x)) */
export class Mish extends Module {
  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return mish(x);
  }
}

/** log(1 + exp(βx)) / β */
export class Softplus extends Module {
  /** Sharpness of the bend at 0. */
  readonly beta: number;

  /** @param beta default 1 */
  constructor(beta = 1) {
    super();
    checkNumbers("Softplus", { beta });
    this.beta = beta;
  }

  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return this.beta === 1 ? softplus(x) : softplus(mul(x, this.beta)).mul(1 / this.beta);
  }
}

/** x / (1 + |x|) */
export class Softsign extends Module {
  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return softsign(x);
  }
}

/** The hyperbolic tangent */
export class Tanh extends Module {
  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return tanh(x);
  }
}

/** 1 / (1 + exp(−x)) */
export class Sigmoid extends Module {
  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}

/** log(sigmoid(x)) */
export class LogSigmoid extends Module {
  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return logSigmoid(x);
  }
}

/** (x + 3) / 6, clamped to 0 … 1 */
export class Hardsigmoid extends Module {
  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return hardSigmoid(x);
  }
}

/** x · hardSigmoid(x) */
export class Hardswish extends Module {
  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return hardSwish(x);
  }
}

/** x clamped to min … max */
export class Hardtanh extends Module {
  /** The smallest output. */
  readonly min: number;
  /** The largest output. */
  readonly max: number;

  /** Default −1 … 1. */
  constructor(min = -1, max = 1) {
    super();
    checkNumbers("Hardtanh", { min, max }, -Infinity);
    this.min = min;
    this.max = max;
  }

  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return hardTanh(x, this.min, this.max);
  }
}

/** exp(x) / Σ exp(x) along one axis, the last by default */
export class Softmax extends Module {
  /** The axis along which the outputs add up to 1. */
  readonly axis: number;

  /** @param axis along which the outputs add up to 1; default the last */
  constructor(axis = -1) {
    super();
    checkSizes("Softmax", { axis }, -Infinity);
    this.axis = axis;
  }

  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return softmax(x, this.axis);
  }
}

/** The logarithm of `Softmax` */
export class LogSoftmax extends Module {
  /** The axis along which the exponentials of the outputs add up to 1. */
  readonly axis: number;

  /** @param axis along which the exponentials of the outputs add up to 1; default the last */
  constructor(axis = -1) {
    super();
    checkSizes("LogSoftmax", { axis }, -Infinity);
    this.axis = axis;
  }

  /** x of any shape → the same shape */
  forward(x: Tensor): Tensor {
    return logSoftmax(x, this.axis);
  }
}
