/** Adam and AdamW. Recorded for each parameter; contiguous ones are stepped together. */
import type { Tensor, Variable } from "@ddad/tensor";
import { adamControl, adamEmaStep, adamStep, checkOptions } from "@ddad/tensor/internal";
import { checkKind, checkNumbers } from "../arguments.ts";
import type { EMA } from "./ema.ts";
import { Optimizer } from "./optimizer.ts";
import type { ParameterSource } from "./parameterSource.ts";
import type { Schedule } from "./schedules.ts";

/** Options of `Adam` and `AdamW`. */
export interface AdamOptions {
  /** Learning rate, or that of each step. Default 1e-3. */
  readonly learningRate?: number | Schedule;
  /** Decay of the mean of the gradients. Default 0.9. */
  readonly beta1?: number;
  /** Decay of the mean of their squares. Default 0.999. */
  readonly beta2?: number;
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Default 0 in Adam, 0.01 in AdamW. */
  readonly weightDecay?: number;
  /** Updated in the same kernel: do not call its `update`. */
  readonly ema?: EMA;
}

const series = ["first_moment", "second_moment"] as const;

const known = ["learningRate", "beta1", "beta2", "epsilon", "weightDecay", "ema"] as const;

abstract class AdamFamily extends Optimizer {
  readonly #numbers: Pick<Required<AdamOptions>, "beta1" | "beta2" | "epsilon" | "weightDecay">;
  readonly #decoupled: boolean;
  readonly #ema: EMA | undefined;

  constructor(parameters: ParameterSource, options: AdamOptions, decoupled: boolean) {
    const name = decoupled ? "AdamW" : "Adam";
    const { ema } = checkOptions(name, options, known);
    if (ema) checkKind(name, "ema", ema, typeof ema.emaOf === "function", "an EMA");
    super(parameters, {
      ...{ name, series, learningRate: options.learningRate ?? 1e-3 },
      ...{ controlLength: 8, scaleIndex: 6 },
    });
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = decoupled ? 0.01 : 0 } = options;
    checkNumbers(name, { beta1, beta2, epsilon, weightDecay });
    this.#numbers = { beta1, beta2, epsilon, weightDecay };
    this.#decoupled = decoupled;
    this.#ema = ema;
  }

  override get variables(): readonly Variable[] {
    return [...super.variables, ...(this.#ema?.variables ?? [])];
  }

  protected override numbers(step: number, learningRate: number): Float32Array {
    const emaDecay = this.#ema?.decay(step) ?? 0;
    return adamControl({
      ...this.#numbers,
      learningRate,
      step: step + 1,
      decoupled: this.#decoupled,
      emaDecay,
    });
  }

  protected override update(index: number, gradient: Tensor, control: Tensor): void {
    const parameter = this.parameters[index]!;
    const [firstMoment, secondMoment] = series.map((name) => this.kept(name, index)) as [Variable, Variable];
    const ema = this.#ema?.emaOf(parameter);
    const inputs = { parameter, gradient, firstMoment, secondMoment, control };
    const attrs = { decoupled: this.#decoupled };
    let next: ReturnType<typeof adamStep>;
    if (ema) {
      const withEma = adamEmaStep({ ...inputs, ema }, attrs);
      ema.assign(withEma.emaNext);
      next = withEma;
    } else {
      next = adamStep(inputs, attrs);
    }
    parameter.assign(next.parameterNext);
    firstMoment.assign(next.firstMomentNext);
    secondMoment.assign(next.secondMomentNext);
  }
}

/** Adam (Kingma and Ba, ICLR 2015). Weight decay is added to the gradient (L2), as in PyTorch's Adam. */
export class Adam extends AdamFamily {
  /** @param parameters a module, without its frozen parameters, or a list of f32 variables */
  constructor(parameters: ParameterSource, options: AdamOptions = {}) {
    super(parameters, options, false);
  }
}

/** Adam with weight decay apart from the gradient (Loshchilov and Hutter, ICLR 2019). */
export class AdamW extends AdamFamily {
  /** @param parameters a module, without its frozen parameters, or a list of f32 variables */
  constructor(parameters: ParameterSource, options: AdamOptions = {}) {
    super(parameters, options, true);
  }
}
