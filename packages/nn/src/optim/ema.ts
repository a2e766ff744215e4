/** Averages of the parameters over the steps of training: what one evaluates and ships (Polyak and Juditsky 1992). */
import { copy, evaluate, exchange, tensor, type Variable, zerosSideBySide } from "@ddad/tensor";
import { type Module, slotOf } from "../module.ts";
import { assignState, readState, type Slot } from "../state.ts";
import type { StateDict, StateEntry } from "../stateDict.ts";
import { constantRate, type Schedule } from "./schedules.ts";

/** Options of `EMA`. */
export interface EMAOptions {
  /** Weight of the old average, or that of each step; default 0.999. See `averageWarmup` for short trainings. */
  readonly decay?: number | Schedule;
}

/** min(decay, (1 + step) / (10 + step)): the average forgets the initial weights within the first steps. */
export const averageWarmup =
  (decay: number): Schedule =>
  (step) =>
    Math.min(decay, (1 + step) / (10 + step));

/**
 * Keeps a ← d a + (1 − d) p of every parameter p of a module that is not frozen. Pass it to Adam as `average`, which
 * updates it in its own kernel, or call `update` after each step.
 */
export class EMA {
  /** Weight of the old average at a step, counted from 0. */
  readonly decay: Schedule;
  readonly #module: Module;
  readonly #averages: ReadonlyMap<Variable, Variable>;

  /** The averages start at the parameters' values of now. */
  constructor(module: Module, { decay = 0.999 }: EMAOptions = {}) {
    this.decay = typeof decay === "number" ? constantRate(decay) : decay;
    this.#module = module;
    const parameters = module.parameters();
    const averages = zerosSideBySide(parameters.map(({ shape }) => shape));
    for (const [k, average] of averages.entries()) average.assign(copy(parameters[k]!));
    this.#averages = new Map(parameters.map((parameter, k) => [parameter, averages[k]!]));
  }

  /** The averages: evaluate them together with the parameters. */
  get variables(): readonly Variable[] {
    return [...this.#averages.values()];
  }

  /** The average of a parameter, if it has one. */
  averageOf(parameter: Variable): Variable | undefined {
    return this.#averages.get(parameter);
  }

  /** Records the update after step `step`, counted from 0. */
  update(step: number): void {
    const decay = tensor([this.decay(step)], []); // a tensor, so that every step runs the same plan
    for (const [parameter, average] of this.#averages) {
      average.assign(average.mul(decay).add(parameter.mul(decay.neg().add(1))));
    }
  }

  /** Exchanges parameters and averages: once to evaluate the averages, once more to go on training. */
  async swap(): Promise<void> {
    await evaluate(...this.#averages.keys(), ...this.variables);
    for (const [parameter, average] of this.#averages) exchange(parameter, average);
  }

  /** The module's state dict with the averages in the place of the parameters: any module of its kind can load it. */
  stateDict(): Promise<StateDict> {
    const slots = [...this.#module.namedState()].map(([name, variable]): [string, Slot] => {
      const { layout } = slotOf(variable);
      return [name, { variable: this.#averages.get(variable) ?? variable, layout }];
    });
    return readState(new Map(slots));
  }

  /** Takes over averages saved by `stateDict`. Throws StateDictError listing every mismatch. */
  loadStateDict(dict: ReadonlyMap<string, StateEntry>): void {
    const slots = new Map<string, Slot>();
    const others = new Set<string>();
    for (const [name, parameter] of this.#module.namedState()) {
      const variable = this.#averages.get(parameter);
      if (variable) slots.set(name, { variable, layout: slotOf(parameter).layout });
      else others.add(name);
    }
    assignState(slots, new Map([...dict].filter(([name]) => !others.has(name))), true);
  }

  /** Frees the averages. */
  dispose(): void {
    for (const average of this.variables) average.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
