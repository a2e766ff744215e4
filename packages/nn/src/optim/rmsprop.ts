import type { Tensor } from "@ddad/tensor";
import { checkOptions } from "@ddad/tensor/internal";
import { checkNumbers } from "../arguments.ts";
import { ControlNumbers, decayedGradient, unlessSkipped } from "./composed.ts";
import { Optimizer } from "./optimizer.ts";
import type { ParameterSource } from "./parameterSource.ts";
import type { Schedule } from "./schedules.ts";
import type { Numbers } from "./sgd.ts";

/** Options of `RMSprop`. */
export interface RMSpropOptions {
  /** Learning rate, or that of each step. Default 1e-2. */
  readonly learningRate?: number | Schedule;
  /** Decay of the mean of the squared gradients (PyTorch's alpha). Default 0.99. */
  readonly decay?: number;
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Added to the gradient, times the parameter (L2). Default 0. */
  readonly weightDecay?: number;
  /** Default 0. */
  readonly momentum?: number;
  /** Divides by the gradients' standard deviation instead of their root mean square. Default false. */
  readonly centered?: boolean;
}

const known = ["learningRate", "decay", "epsilon", "weightDecay", "momentum", "centered"] as const;

/** RMSprop (Hinton 2012), as PyTorch's: p ← p − learningRate · g / (√mean(g²) + ε). */
export class RMSprop extends Optimizer {
  readonly #options: Required<Omit<RMSpropOptions, "learningRate">>;
  readonly #numbers = new ControlNumbers();

  /** @param parameters a module, without its frozen parameters, or a list of f32 variables */
  constructor(parameters: ParameterSource, options: RMSpropOptions = {}) {
    checkOptions("RMSprop", options, known);
    const { learningRate = 1e-2, decay = 0.99, epsilon = 1e-8, weightDecay = 0 } = options;
    const { momentum = 0, centered = false } = options;
    checkNumbers("RMSprop", { decay, epsilon, weightDecay, momentum });
    const series = [
      "second_moment",
      ...(centered ? ["first_moment"] : []),
      ...(momentum > 0 ? ["velocity"] : []),
    ];
    super(parameters, { name: "RMSprop", learningRate, series, controlLength: 6, scaleIndex: 2 });
    this.#options = { decay, epsilon, weightDecay, momentum, centered };
  }

  protected override numbers(_step: number, learningRate: number): Float32Array {
    const { decay, epsilon, weightDecay, momentum } = this.#options;
    return Float32Array.of(learningRate, weightDecay, 1, decay, epsilon, momentum);
  }

  protected override update(index: number, gradient: Tensor, control: Tensor): void {
    const { momentum: hasMomentum, centered } = this.#options;
    const numbers = this.#numbers.of(control, 6) as Numbers<6>;
    const [learningRate, weightDecay, scale, decay, epsilon, momentum] = numbers;
    const parameter = this.parameters[index]!;
    const g = decayedGradient(gradient, parameter, scale, weightDecay);
    const rest = decay.neg().add(1);
    const keep = (series: string, next: (old: Tensor) => Tensor): Tensor => {
      const variable = this.kept(series, index);
      const old = variable.value;
      const value = next(old);
      variable.assign(unlessSkipped(scale, value, old));
      return value;
    };
    const squares = keep("second_moment", (old) => old.mul(decay).add(g.square().mul(rest)));
    const mean = centered
      ? keep("first_moment", (old) => old.mul(decay).add(g.mul(rest))).square()
      : undefined;
    const root = (mean ? squares.sub(mean) : squares).sqrt().add(epsilon);
    const by = hasMomentum > 0 ? keep("velocity", (old) => old.mul(momentum).add(g.div(root))) : g.div(root);
    parameter.assign(unlessSkipped(scale, parameter.sub(by.mul(learningRate)), parameter.value));
  }
}
