import type { Tensor } from "@ddad/tensor";
import { checkOptions } from "@ddad/tensor/internal";
import { checkNumbers } from "../arguments.ts";
import { ControlNumbers, decayedGradient, unlessSkipped } from "./composed.ts";
import { Optimizer } from "./optimizer.ts";
import type { ParameterSource } from "./parameterSource.ts";
import type { Schedule } from "./schedules.ts";
import type { Numbers } from "./sgd.ts";

/** Options of `Adagrad`. */
export interface AdagradOptions {
  /** Learning rate, or that of each step. Default 1e-2. */
  readonly learningRate?: number | Schedule;
  /** Default 1e-10. */
  readonly epsilon?: number;
  /** Added to the gradient, times the parameter (L2). Default 0. */
  readonly weightDecay?: number;
}

/** Adagrad (Duchi et al., JMLR 2011), as PyTorch's: s ← s + g², p ← p − learningRate · g / (√s + ε). */
export class Adagrad extends Optimizer {
  readonly #epsilon: number;
  readonly #weightDecay: number;
  readonly #numbers = new ControlNumbers();

  /** @param parameters a module, without its frozen parameters, or a list of f32 variables */
  constructor(parameters: ParameterSource, options: AdagradOptions = {}) {
    checkOptions("Adagrad", options, ["learningRate", "epsilon", "weightDecay"]);
    const { learningRate = 1e-2, epsilon = 1e-10, weightDecay = 0 } = options;
    checkNumbers("Adagrad", { epsilon, weightDecay });
    super(parameters, {
      name: "Adagrad",
      learningRate,
      series: ["squares"],
      controlLength: 4,
      scaleIndex: 2,
    });
    this.#epsilon = epsilon;
    this.#weightDecay = weightDecay;
  }

  protected override numbers(_step: number, learningRate: number): Float32Array {
    return Float32Array.of(learningRate, this.#weightDecay, 1, this.#epsilon);
  }

  protected override update(index: number, gradient: Tensor, control: Tensor): void {
    const [learningRate, weightDecay, scale, epsilon] = this.#numbers.of(control, 4) as Numbers<4>;
    const parameter = this.parameters[index]!;
    const squares = this.kept("squares", index);
    const g = decayedGradient(gradient, parameter, scale, weightDecay);
    const next = squares.add(g.square());
    const by = g.div(next.sqrt().add(epsilon)).mul(learningRate);
    parameter.assign(unlessSkipped(scale, parameter.sub(by), parameter.value));
    squares.assign(unlessSkipped(scale, next, squares.value));
  }
}
