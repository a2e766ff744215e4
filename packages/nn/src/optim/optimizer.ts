/** Base class of optimisers: parameters, step count, and state for saving. */
import {
  type AnyTensor,
  compile,
  evaluate,
  grad,
  ShapeError,
  type Tensor,
  tensor,
  UsageError,
  type Variable,
  where,
} from "@ddad/tensor";
import {
  allOrNone,
  checkOptions,
  checkTensor,
  contiguousZeros,
  flattenParameters,
  isRecorded,
  isTracing,
  takeBack,
  writeCount,
} from "@ddad/tensor/internal";
import { checkFloats, checkKind, checkTensors } from "../arguments.ts";
import { StateDictError } from "../errors.ts";
import { slotOf } from "../module.ts";
import { pendingBuffers } from "../pendingBuffers.ts";
import { assignState, readState, type Slot } from "../state.ts";
import { checkStateDict, type StateDict, type StateEntry } from "../stateDict.ts";
import { clipGradientNorm } from "./clip.ts";
import { namesOf, type ParameterSource } from "./parameterSource.ts";
import { scheduleOf } from "./scheduleOf.ts";
import type { Schedule } from "./schedules.ts";

/** Options of `Optimizer.step`. */
export interface StepOptions {
  /** One element that multiplies every gradient, such as the `scale` of `clipGradientNorm`. */
  readonly gradientScale?: Tensor;
  /** The numbers of this step, from `control()`. Inside `compile` they must come as an argument. */
  readonly control?: Tensor;
}

/** Options of `Optimizer.minimize`. */
export interface MinimizeOptions {
  /** Clips the gradients to this global norm, as `clipGradientNorm` does. Default: no clipping. */
  readonly maxNorm?: number;
  /** Further tensors to evaluate in the same run, such as the network's output. */
  readonly also?: readonly Tensor[];
}

/** What an optimiser passes to its base class. */
export interface OptimizerSetup {
  /** The optimiser's name in error messages. */
  readonly name: string;
  /** A number, or that of each step. */
  readonly learningRate: number | Schedule;
  /** Names of what is kept for each parameter, zero at the start. */
  readonly series: readonly string[];
  /** Numbers in a control tensor. */
  readonly controlLength: number;
  /** Which of them multiplies the gradients. */
  readonly scaleIndex: number;
}

/**
 * Changes parameters by their gradients.
 *
 * ```ts
 * for await (const { x, labels } of loader) {
 *   const loss = crossEntropy(net.forward(x), labels);
 *   await optimizer.minimize(loss);
 * }
 * ```
 *
 * `minimize` takes the gradients, records a step and evaluates all it changes. The same step by step, for more control:
 *
 * ```ts
 * const gradients = grad(loss, optimizer.parameters);
 * optimizer.step(gradients);
 * await evaluate(loss, ...optimizer.variables, ...net.buffers());
 * ```
 *
 * Making an optimiser moves its f32 parameters into buffers that they share before the next evaluation, so that a step runs once for
 * many of them. They stay there when the optimiser is disposed of, and a second one finds them there; such a buffer is freed once all
 * parameters in it are disposed of. Where the adapter has no memory for all this, that evaluation rejects with OutOfMemoryError: the
 * parameters are where they were, with their values, but the optimiser cannot be used.
 */
export abstract class Optimizer {
  /**
   * The parameters of a module that were not frozen when this optimiser was made, or the list that was given. Freezing one later takes
   * none out: make another optimiser.
   */
  readonly parameters: readonly Variable[];
  /** Steps taken so far. */
  stepCount = 0;
  readonly #name: string;
  readonly #names: readonly string[];
  #schedule: Schedule;
  /** Kept from step to step: the series' name → a variable for each parameter. */
  readonly #series: ReadonlyMap<string, readonly Variable[]>;
  readonly #scaleMask: Tensor<"bool">;
  /** Contents of the variables' buffers when the last step was recorded. */
  #versions: readonly number[] = [];

  /** @throws RangeError where there is nothing to train, UsageError for what cannot be trained */
  constructor(source: ParameterSource, setup: OptimizerSetup) {
    const { name, learningRate, series, controlLength, scaleIndex } = setup;
    const names = namesOf(name, source);
    this.#name = name;
    this.parameters = [...names.keys()];
    this.#names = [...names.values()];
    this.#schedule = scheduleOf(name, "learningRate", learningRate);
    flattenParameters(this.parameters);
    const shapes = this.parameters.map(({ shape }) => shape);
    this.#series = allOrNone(() => new Map(series.map((name) => [name, contiguousZeros(shapes)])));
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

  /** Learning rate of the next step. A number or a schedule can be set; a schedule continues at `stepCount`. */
  get learningRate(): number {
    return this.#schedule(this.stepCount);
  }

  set learningRate(learningRate: number | Schedule) {
    this.#schedule = scheduleOf(this.#name, "learningRate", learningRate);
  }

  /** Counts a step and gives its numbers (learning rate, corrections, …) as a tensor, for a compiled function. */
  control(): Tensor {
    const numbers = this.numbers(this.stepCount, this.learningRate);
    this.stepCount++;
    return tensor(numbers);
  }

  /**
   * One training step: the gradients of `loss` towards `parameters`, `step`, and one evaluation of the loss, of all that the step
   * changes and of the buffers that batch norms on the way to the loss update. Nothing is read back: `await loss.item()` reads the
   * value where it is wanted, which waits for the device.
   *
   * @param loss one element, not evaluated yet, or a function that records it
   * @returns the loss, evaluated
   * @throws ShapeError where the loss is no tensor, else as `grad`, `step` and `evaluate`. Where the evaluation fails, the step is taken back.
   */
  async minimize(loss: Tensor | (() => Tensor), options: MinimizeOptions = {}): Promise<Tensor> {
    const op = `${this.#name}.minimize`;
    if (isTracing()) {
      throw new UsageError(
        `${op}: it cannot run inside compile. Use optimizer.compileStep, or step(grad(loss, optimizer.parameters), { control }).`,
      );
    }
    const { maxNorm, also = [] } = checkOptions(op, options, ["maxNorm", "also"]);
    checkTensors(op, "also", also);
    const value = typeof loss === "function" ? loss() : loss;
    checkTensor(op, "the loss", value);
    this.#refuseSecondStep("minimize");
    const buffers = pendingBuffers(value);
    const gradients = grad(value, this.parameters);
    // Not `using`, whose helper functions would be half a kilobyte of a page.
    const control = this.control();
    try {
      this.#record(gradients, maxNorm, control);
      await evaluate(value, ...this.variables, ...buffers, ...also);
    } catch (error) {
      for (const variable of [...this.variables, ...buffers]) if (isRecorded(variable)) takeBack(variable);
      this.stepCount--;
      throw error;
    } finally {
      control.dispose();
    }
    return value;
  }

  /**
   * `minimize` for a loss that is recorded once for each combination of argument shapes, fused and planned; later calls only replay
   * it. `loss` itself does not run again, so what changes from step to step must be an argument. Dropout draws anew in each call.
   *
   * ```ts
   * const step = optimizer.compileStep((x: Tensor, labels: Tensor<"i32">) => crossEntropy(net.forward(x), labels));
   * for await (const { x, labels } of loader) await step(x, labels);
   * ```
   *
   * @returns a function of the arguments that takes a step and gives the loss before it, evaluated
   */
  compileStep<A extends readonly AnyTensor[]>(
    loss: (...args: A) => Tensor,
    options: Pick<MinimizeOptions, "maxNorm"> = {},
  ): (...args: A) => Promise<Tensor> {
    const op = `${this.#name}.compileStep`;
    const { maxNorm } = checkOptions(op, options, ["maxNorm"]);
    checkKind(op, "the loss", loss, typeof loss === "function", "a function that records it");
    const run = compile((control: Tensor, ...args: A): Tensor => {
      const value = loss(...args);
      checkTensor(op, "the loss", value);
      this.#record(grad(value, this.parameters), maxNorm, control);
      return value;
    });
    return async (...args) => {
      const control = this.control();
      try {
        return await run(control, ...args);
      } catch (error) {
        this.stepCount--;
        throw error;
      } finally {
        control.dispose();
      }
    };
  }

  #record(gradients: readonly Tensor[], maxNorm: number | undefined, control: Tensor): void {
    this.step(gradients, {
      ...(maxNorm !== undefined && { gradientScale: clipGradientNorm(gradients, maxNorm).scale }),
      control,
    });
  }

  /**
   * Records one step; evaluating `variables` carries it out.
   *
   * @param gradients those of `parameters`, in their order
   * @throws ShapeError where the gradients are not as many tensors as the parameters, UsageError where the step before is not evaluated
   * yet (inside `compile`, several steps can be recorded)
   */
  step(gradients: readonly Tensor[], options: StepOptions = {}): void {
    const op = `${this.#name}.step`;
    checkOptions(op, options, ["gradientScale", "control"]);
    if (!Array.isArray(gradients)) {
      throw new UsageError(
        `${op}: it needs the gradients. Write await optimizer.minimize(loss), or ` +
          "optimizer.step(grad(loss, optimizer.parameters)) and then await evaluate(loss, ...optimizer.variables).",
      );
    }
    if (gradients.length !== this.parameters.length) {
      throw new ShapeError(
        `${op}: there are ${this.parameters.length} parameters but ${gradients.length} gradients; ` +
          "take grad(loss, optimizer.parameters).",
      );
    }
    checkTensors(op, "the gradients", gradients);
    for (const [index, { shape }] of gradients.entries()) {
      const wanted = this.parameters[index]!.shape;
      checkFloats(op, `gradient ${index}`, gradients[index]!);
      if (shape.join() === wanted.join()) continue;
      throw new ShapeError(
        `${op}: gradient ${index} is [${shape.join(", ")}] but its parameter is [${wanted.join(", ")}]; ` +
          "take grad(loss, optimizer.parameters).",
      );
    }
    this.#refuseSecondStep("step");
    const { gradientScale, control = this.control() } = options;
    const scaled = gradientScale ? where(this.#scaleMask, gradientScale, control) : control;
    for (const [index, gradient] of gradients.entries()) this.update(index, gradient, scaled);
    this.#versions = this.variables.map(writeCount);
  }

  /** Each evaluation of a loss would recompute a chain of pending steps from its first. */
  #refuseSecondStep(method: string): void {
    if (isTracing()) return;
    const pending = this.variables.some(
      (variable, index) => writeCount(variable) === this.#versions[index] && isRecorded(variable),
    );
    if (pending) {
      throw new UsageError(
        `${this.#name}.${method}: the step before is recorded but not evaluated. ` +
          "Await evaluate(loss, ...optimizer.variables) after each step, or use await optimizer.minimize(loss).",
      );
    }
  }

  /** The count of steps and all that is kept, for an exact resume: "step", "<series>.<parameter>". */
  async stateDict(): Promise<StateDict> {
    const step: StateEntry = { shape: [], dtype: "i64", data: BigInt64Array.of(BigInt(this.stepCount)) };
    return new Map([["step", step], ...(await readState(this.#slots()))]);
  }

  /** Continues where another optimiser of the same parameters was saved. Throws StateDictError listing every mismatch. */
  loadStateDict(dict: ReadonlyMap<string, StateEntry>): void {
    checkStateDict(`${this.#name}.loadStateDict`, dict);
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

  /** `dispose` at the end of the block that declares it by `using`. */
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
