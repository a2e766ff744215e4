import type { Tensor } from "@ddad/tensor";
import { checkOptions, sgdStep } from "@ddad/tensor/internal";
import { checkNumbers } from "../arguments.ts";
import { ControlNumbers, decayedGradient, unlessSkipped } from "./composed.ts";
import { Optimizer } from "./optimizer.ts";
import type { ParameterSource } from "./parameterSource.ts";
import type { Schedule } from "./schedules.ts";

/** Options of `SGD`. */
export interface SGDOptions {
  /** Learning rate, or that of each step. Default 1e-3. */
  readonly learningRate?: number | Schedule;
  /** Default 0. */
  readonly momentum?: number;
  /** Weight of the gradient in the velocity is 1 − dampening, after the first step. Default 0. */
  readonly dampening?: number;
  /** Added to the gradient, times the parameter (L2). Default 0. */
  readonly weightDecay?: number;
  /** Nesterov momentum: steps by g + momentum · v. Needs a momentum and no dampening. Default false. */
  readonly nesterov?: boolean;
}

const known = ["learningRate", "momentum", "dampening", "weightDecay", "nesterov"] as const;

/**
 * Stochastic gradient descent, as PyTorch's: v ← momentum · v + (1 − dampening) g, p ← p − learningRate · v; with `nesterov`
 * p ← p − learningRate · (g + momentum · v). The first step takes v = g.
 */
export class SGD extends Optimizer {
  readonly #options: Required<Omit<SGDOptions, "learningRate">>;
  readonly #numbers = new ControlNumbers();

  /**
   * @param parameters a module, without its frozen parameters, or a list of f32 variables
   * @throws RangeError for `nesterov` without momentum or with dampening
   */
  constructor(parameters: ParameterSource, options: SGDOptions = {}) {
    checkOptions("SGD", options, known);
    const { learningRate = 1e-3, momentum = 0, dampening = 0, weightDecay = 0, nesterov = false } = options;
    checkNumbers("SGD", { momentum, dampening, weightDecay });
    if (nesterov && !(momentum > 0 && dampening === 0)) {
      throw new RangeError(
        `SGD: nesterov needs a momentum above 0 and no dampening, but they are ${momentum} and ${dampening}.`,
      );
    }
    const controlLength = nesterov || dampening !== 0 ? 5 : 4;
    super(parameters, { name: "SGD", learningRate, series: ["velocity"], controlLength, scaleIndex: 3 });
    this.#options = { momentum, dampening, weightDecay, nesterov };
  }

  protected override numbers(step: number, learningRate: number): Float32Array {
    const { momentum, dampening, weightDecay, nesterov } = this.#options;
    const numbers = [learningRate, momentum, weightDecay, 1];
    return Float32Array.from(
      nesterov || dampening !== 0 ? [...numbers, step === 0 ? 1 : 1 - dampening] : numbers,
    );
  }

  protected override update(index: number, gradient: Tensor, control: Tensor): void {
    const { dampening, nesterov } = this.#options;
    const parameter = this.parameters[index]!;
    const velocity = this.kept("velocity", index);
    if (!nesterov && dampening === 0) {
      const next = sgdStep({ parameter, gradient, velocity, control });
      parameter.assign(next.parameterNext);
      velocity.assign(next.velocityNext);
      return;
    }
    const [learningRate, momentum, weightDecay, scale, taken] = this.#numbers.of(control, 5) as Numbers<5>;
    const g = decayedGradient(gradient, parameter, scale, weightDecay);
    const next = velocity.mul(momentum).add(g.mul(taken));
    const by = nesterov ? g.add(next.mul(momentum)) : next;
    parameter.assign(unlessSkipped(scale, parameter.sub(by.mul(learningRate)), parameter.value));
    velocity.assign(unlessSkipped(scale, next, velocity.value));
  }
}

/** A tuple of N tensors. */
export type Numbers<N extends number, T extends Tensor[] = []> = T["length"] extends N
  ? T
  : Numbers<N, [...T, Tensor]>;
