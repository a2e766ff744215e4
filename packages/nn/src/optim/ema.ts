/** Exponential moving average (EMA) of the parameters over the steps of training (Polyak and Juditsky 1992). */
import { type AnyVariable, copy, evaluate, tensor, type Variable } from "@ddad/tensor";
import { checkOptions, contiguousZeros, swap } from "@ddad/tensor/internal";
import { checkKind, checkNumbers } from "../arguments.ts";
import { Module, slotOf } from "../module.ts";
import { assignState, readState, type Slot } from "../state.ts";
import { checkStateDict, type StateDict, type StateEntry } from "../stateDict.ts";
import { scheduleOf } from "./scheduleOf.ts";
import type { Schedule } from "./schedules.ts";

/** Options of `EMA`. */
export interface EMAOptions {
  /** Weight of the old EMA, or a schedule of it; default 0.999. See `emaWarmup` for short trainings. */
  readonly decay?: number | Schedule;
}

/** min(decay, (1 + step) / (10 + step)): the EMA forgets the initial weights within the first steps. */
export function emaWarmup(decay: number): Schedule {
  checkNumbers("emaWarmup", { decay });
  return (step) => Math.min(decay, (1 + step) / (10 + step));
}

/**
 * Keeps a ← d a + (1 − d) p of every parameter p of a module that is not frozen. Pass it to Adam as `ema`, which
 * updates it in its own kernel, or call `update` after each step.
 */
export class EMA {
  /** Weight of the old EMA at a step, counted from 0. */
  readonly decay: Schedule;
  readonly #module: Module;
  readonly #emas: ReadonlyMap<Variable, Variable>;

  /** The EMA starts at the parameters' current values. */
  constructor(module: Module, options: EMAOptions = {}) {
    const { decay = 0.999 } = checkOptions("EMA", options, ["decay"]);
    checkKind("EMA", "the module", module, module instanceof Module, "a Module");
    this.decay = scheduleOf("EMA", "decay", decay);
    this.#module = module;
    const parameters = module.parameters();
    const emas = contiguousZeros(parameters.map(({ shape }) => shape));
    for (const [k, ema] of emas.entries()) ema.assign(copy(parameters[k]!));
    this.#emas = new Map(parameters.map((parameter, k) => [parameter, emas[k]!]));
  }

  /** The EMA variables: evaluate them together with the parameters. */
  get variables(): readonly Variable[] {
    return [...this.#emas.values()];
  }

  /** The EMA of a parameter, if it has one. */
  emaOf(parameter: AnyVariable): Variable | undefined {
    return this.#emas.get(parameter as Variable);
  }

  /** Records the update after step `step`, counted from 0. */
  update(step: number): void {
    checkNumbers("EMA.update", { step });
    const decay = tensor([this.decay(step)], []); // a tensor, so that every step runs the same plan
    for (const [parameter, ema] of this.#emas) {
      ema.assign(ema.mul(decay).add(parameter.mul(decay.neg().add(1))));
    }
  }

  /** Swaps parameters and EMA: once to evaluate with the EMA, once more to resume training. */
  async swap(): Promise<void> {
    await evaluate(...this.#emas.keys(), ...this.variables);
    for (const [parameter, ema] of this.#emas) swap(parameter, ema);
  }

  /** The module's state dict with the EMA in place of the parameters: any module of its kind can load it. */
  stateDict(): Promise<StateDict> {
    const slots = [...this.#module.namedState()].map(([name, variable]): [string, Slot] => {
      const { layout } = slotOf(variable);
      return [name, { variable: this.#emas.get(variable as Variable) ?? variable, layout }];
    });
    return readState(new Map(slots));
  }

  /** Loads an EMA saved by `stateDict`. Throws StateDictError listing every mismatch. */
  loadStateDict(dict: ReadonlyMap<string, StateEntry>): void {
    checkStateDict("EMA.loadStateDict", dict);
    const slots = new Map<string, Slot>();
    const others = new Set<string>();
    for (const [name, parameter] of this.#module.namedState()) {
      const variable = this.#emas.get(parameter as Variable);
      if (variable) slots.set(name, { variable, layout: slotOf(parameter).layout });
      else others.add(name);
    }
    assignState(slots, new Map([...dict].filter(([name]) => !others.has(name))), true);
  }

  /** Frees the EMA variables. */
  dispose(): void {
    for (const ema of this.variables) ema.dispose();
  }

  /** `dispose` at the end of the block that declares it by `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
