/** What optimisers have in common: which parameters they change, the count of steps, and state that can be saved. */
import {
  allOrNone,
  moveSideBySide,
  ShapeError,
  type Tensor,
  tensor,
  type Variable,
  where,
  zerosSideBySide,
} from "@ddad/tensor";
import { StateDictError } from "../errors.ts";
import { Module, slotOf } from "../module.ts";
import { assignState, readState, type Slot } from "../state.ts";
import type { StateDict, StateEntry } from "../stateDict.ts";
import { constantRate, type Schedule } from "./schedules.ts";

/** Options of `Optimizer.step`. */
export interface StepOptions {
  /** One element that multiplies every gradient, such as the `scale` of `clipGradientNorm`. */
  readonly gradientScale?: Tensor;
  /** The numbers of this step, from `control()`. Inside `compile` they must come as an argument. */
  readonly control?: Tensor;
}

/** What of a module, or which variables, an optimiser changes. */
export type ParameterSource = Module | readonly Variable[];

/**
 * Changes parameters by their gradients. A step only records the update; evaluating `variables` carries it out.
 *
 * Making one moves its f32 parameters into buffers that they share before the next evaluation, so that a step runs once for many of
 * them. They stay there when the optimiser is disposed of, and a second one finds them there; such a buffer is freed once all
 * parameters in it are disposed of. Where the adapter has no memory for all this, that evaluation rejects with OutOfMemoryError: the
 * parameters are where they were, with their values, but the optimiser cannot be used.
 *
 * ```ts
 * const gradients = grad(loss, optimizer.parameters);
 * optimizer.step(gradients);
 * await evaluate(loss, ...optimizer.variables);
 * ```
 */
export abstract class Optimizer {
  /**
   * The parameters of a module that were not frozen when this optimiser was made, or the list that was given. Freezing one later takes
   * none out: make another optimiser.
   */
  readonly parameters: readonly Variable[];
  /** Steps taken so far. */
  stepCount = 0;
  readonly #names: readonly string[];
  readonly #schedule: Schedule;
  /** Kept from step to step: the series' name → a variable for each parameter. */
  readonly #series: ReadonlyMap<string, readonly Variable[]>;
  readonly #scaleMask: Tensor;

  /**
   * @param rate the learning rate, or that of each step
   * @param series names of what is kept for each parameter, zero at the start
   * @param controlLength numbers in a control tensor
   * @param scaleIndex which of them multiplies the gradients
   */
  constructor(
    source: ParameterSource,
    rate: number | Schedule,
    series: readonly string[],
    controlLength: number,
    scaleIndex: number,
  ) {
    const names = new Map<Variable, string>();
    const given = source instanceof Module ? source.namedParameters() : source.entries();
    for (const [name, variable] of given) if (!names.has(variable)) names.set(variable, String(name));
    this.parameters = [...names.keys()];
    this.#names = [...names.values()];
    this.#schedule = typeof rate === "number" ? constantRate(rate) : rate;
    // Side by side, so that a step runs once for many parameters.
    moveSideBySide(this.parameters);
    const shapes = this.parameters.map(({ shape }) => shape);
    this.#series = allOrNone(() => new Map(series.map((name) => [name, zerosSideBySide(shapes)])));
    const mask = Array.from({ length: controlLength }, (_, index) => index === scaleIndex);
    this.#scaleMask = tensor(mask, [controlLength], { dtype: "bool" });
  }

  /** The numbers of a step, counted from 0, for the kernel. */
  protected abstract numbers(step: number, learningRate: number): Float32Array;

  /** Records the update of one parameter. */
  protected abstract update(index: number, gradient: Tensor, control: Tensor): void;

  /** The variable of a series that belongs to a parameter. */
  protected kept(series: string, index: number): Variable {
    return this.#series.get(series)![index]!;
  }

  /** All that a step changes: pass them to `evaluate`. */
  get variables(): readonly Variable[] {
    return [...this.parameters, ...[...this.#series.values()].flat()];
  }

  /** Learning rate of the next step. */
  get learningRate(): number {
    return this.#schedule(this.stepCount);
  }

  /** Counts a step and gives its numbers (learning rate, corrections, …) as a tensor, for a compiled function. */
  control(): Tensor {
    const numbers = this.numbers(this.stepCount, this.learningRate);
    this.stepCount++;
    return tensor(numbers);
  }

  /** Records one step. `gradients` are those of `parameters`, in their order. */
  step(gradients: readonly Tensor[], options: StepOptions = {}): void {
    if (gradients.length !== this.parameters.length) {
      throw new ShapeError(
        `step: there are ${this.parameters.length} parameters but ${gradients.length} gradients; ` +
          "take grad(loss, optimizer.parameters).",
      );
    }
    const { gradientScale, control = this.control() } = options;
    const scaled = gradientScale ? where(this.#scaleMask, gradientScale, control) : control;
    for (const [index, gradient] of gradients.entries()) this.update(index, gradient, scaled);
  }

  /** The count of steps and all that is kept, for an exact resume: "step", "<series>.<parameter>". */
  async stateDict(): Promise<StateDict> {
    const step: StateEntry = { shape: [], dtype: "i64", data: BigInt64Array.of(BigInt(this.stepCount)) };
    return new Map([["step", step], ...(await readState(this.#slots()))]);
  }

  /** Continues where another optimiser of the same parameters was saved. Throws StateDictError listing every mismatch. */
  loadStateDict(dict: ReadonlyMap<string, StateEntry>): void {
    const step = dict.get("step");
    if (step?.data.length !== 1) throw new StateDictError(['missing: "step", the count of steps']);
    assignState(this.#slots(), new Map([...dict].filter(([name]) => name !== "step")), true);
    this.stepCount = Number(step.data[0]);
  }

  /** Frees what is kept (not the parameters). */
  dispose(): void {
    for (const variables of this.#series.values()) for (const variable of variables) variable.dispose();
    this.#scaleMask.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #slots(): Map<string, Slot> {
    const slots = new Map<string, Slot>();
    for (const [series, variables] of this.#series) {
      for (const [index, variable] of variables.entries()) {
        const { layout } = slotOf(this.parameters[index]!);
        slots.set(`${series}.${this.#names[index]}`, { variable, layout });
      }
    }
    return slots;
  }
}
