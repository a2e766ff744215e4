import { sgdStep, type Tensor } from "@ddad/tensor";
import { Optimizer, type ParameterSource } from "./optimizer.ts";
import type { Schedule } from "./schedules.ts";

/** Options of `SGD`. */
export interface SGDOptions {
  /** Learning rate, or that of each step. */
  readonly rate: number | Schedule;
  /** Default 0. */
  readonly momentum?: number;
  /** Added to the gradient, times the parameter (L2). Default 0. */
  readonly weightDecay?: number;
}

/** Stochastic gradient descent: v ← momentum · v + g, p ← p − rate · v. */
export class SGD extends Optimizer {
  readonly #momentum: number;
  readonly #weightDecay: number;

  constructor(parameters: ParameterSource, { rate, momentum = 0, weightDecay = 0 }: SGDOptions) {
    super(parameters, rate, ["velocity"], 4, 3);
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
