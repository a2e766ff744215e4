import { sgdStep, type Tensor } from "@ddad/tensor";
import { Optimizer, type ParameterSource } from "./optimizer.ts";
import { checkOptions } from "./options.ts";
import type { Schedule } from "./schedules.ts";

/** Options of `SGD`. */
export interface SGDOptions {
  /** Learning rate, or that of each step. Default 1e-3. */
  readonly learningRate?: number | Schedule;
  /** Default 0. */
  readonly momentum?: number;
  /** Added to the gradient, times the parameter (L2). Default 0. */
  readonly weightDecay?: number;
}

/** Stochastic gradient descent: v ← momentum · v + g, p ← p − learningRate · v. */
export class SGD extends Optimizer {
  readonly #momentum: number;
  readonly #weightDecay: number;

  constructor(parameters: ParameterSource, options: SGDOptions = {}) {
    checkOptions("SGD", options, ["learningRate", "momentum", "weightDecay"]);
    const { learningRate = 1e-3, momentum = 0, weightDecay = 0 } = options;
    super(parameters, { name: "SGD", learningRate, series: ["velocity"], controlLength: 4, scaleIndex: 3 });
    this.#momentum = momentum;
    this.#weightDecay = weightDecay;
  }

  protected override numbers(_step: number, learningRate: number): Float32Array {
    return Float32Array.of(learningRate, this.#momentum, this.#weightDecay, 1);
  }

  protected override update(index: number, gradient: Tensor, control: Tensor): void {
    const parameter = this.parameters[index]!;
    const velocity = this.kept("velocity", index);
    const next = sgdStep({ parameter, gradient, velocity, control });
    parameter.assign(next.parameterNext);
    velocity.assign(next.velocityNext);
  }
}
