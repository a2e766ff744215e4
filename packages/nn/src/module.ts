/** The base of layers and models: an object whose properties are parameters, buffers and further modules. */
import { type AnyVariable, Variable } from "@ddad/tensor";
import { checkOptions } from "@ddad/tensor/internal";
import { describeModule } from "./describeModule.ts";
import { below, heldBy, type Member } from "./members.ts";
import { Parameter } from "./parameter.ts";
import { assignState, type LoadReport, readState, type Slot } from "./state.ts";
import type { StateDict, StateEntry } from "./stateDict.ts";

/**
 * A piece of a network. Its own properties are what it is made of: `Parameter`s (trained), other `Variable`s (buffers),
 * modules, and arrays, plain objects and Maps of these in any nesting. `#private` fields cannot be seen from outside a class: a layer
 * in one is neither trained nor saved. A variable under two names is one variable.
 *
 * Names in state dicts are PyTorch's: the path of properties in snake_case, or what `torchNames` says ("" leaves a property's own
 * name out of the path); keys of plain objects and Maps are taken as they are.
 *
 * `toString()` shows the module as a tree.
 */
export abstract class Module {
  /** Whether dropout and batch norm are in training mode. Set by `train()` and `eval()`. */
  training = true;
  /** PyTorch's names of properties that are called otherwise here, for example `{ conv1: "in_layers.2" }`. */
  readonly torchNames: Readonly<Record<string, string>> = {};

  /** Parameters and buffers, frozen ones included, by PyTorch's names and in the order of the properties. */
  namedState(): Map<string, AnyVariable> {
    const state = new Map<string, AnyVariable>();
    for (const [path, member] of members(this, "")) if (member instanceof Variable) state.set(path, member);
    return state;
  }

  /** What training may change, by name: the parameters that are not frozen. */
  namedParameters(): Map<string, Parameter> {
    const state = [...this.namedState()];
    return new Map(state.filter((named): named is [string, Parameter] => isTrainable(named[1])));
  }

  /** What training may change, each once: pass them to `grad` and to an optimiser, in this order. */
  parameters(): Parameter[] {
    return [...new Set(this.namedParameters().values())];
  }

  /** State that is kept but not trained, such as the running statistics of batch norm. */
  buffers(): AnyVariable[] {
    return [...new Set(this.namedState().values())].filter((variable) => !(variable instanceof Parameter));
  }

  /** This module and all below it. */
  modules(): Module[] {
    const all = [...members(this, "")].map(([, member]) => member);
    return [...new Set(all.filter((member) => member instanceof Module))];
  }

  /** Sets the mode of this module and all below it. */
  train(training = true): this {
    for (const module of this.modules()) module.training = training;
    return this;
  }

  /** Inference: no dropout, batch norm by its running statistics. */
  eval(): this {
    return this.train(false);
  }

  /** Takes the parameters out of `parameters()`, so that no gradient of them is asked for; `false` puts them back. */
  freeze(frozen = true): this {
    for (const variable of this.namedState().values()) {
      if (variable instanceof Parameter) variable.trainable = !frozen;
    }
    return this;
  }

  /** Frees the buffers of all parameters and buffers now. The module can no longer be used. */
  dispose(): void {
    for (const variable of new Set(this.namedState().values())) variable.dispose();
  }

  /** `dispose` at the end of the block that declares it by `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Reads everything back, with PyTorch's names and layouts. Integers become i64, as PyTorch counts. */
  stateDict(): Promise<StateDict> {
    return readState(this.#slots());
  }

  /**
   * Takes over the values of a state dict with PyTorch's names and layouts (a prefix `module.` is dropped). Either all
   * values are taken over or, with an error, none: where the adapter has no memory for them, that of the next evaluation.
   *
   * @param options `strict` (default true): names missing or left over are errors, not only reported
   * @throws StateDictError that lists every mismatch, UsageError for what is no state dict
   */
  loadStateDict(
    dict: ReadonlyMap<string, StateEntry>,
    options: { readonly strict?: boolean } = {},
  ): LoadReport {
    const { strict = true } = checkOptions("loadStateDict", options, ["strict"]);
    return assignState(this.#slots(), dict, strict);
  }

  /** The module as a tree: names, classes, shapes of parameters and buffers, numbers of trained values. */
  toString(): string {
    return describeModule(this, (module) => [...children(module, "")]);
  }

  /** What `console.log` shows in Node. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  #slots(): Map<string, Slot> {
    return new Map([...this.namedState()].map(([name, variable]) => [name, slotOf(variable)]));
  }
}

const isModule = (value: unknown): value is Module => value instanceof Module;

/** `module` itself, and variables and modules below it, each with its path. A module inside itself comes once. */
function* members(module: Module, path: string, outer: readonly Module[] = []): Generator<Member> {
  yield [path, module];
  const inside = [...outer, module];
  for (const [heldPath, member] of children(module, path)) {
    if (member instanceof Variable) yield [heldPath, member];
    else if (!inside.includes(member)) yield* members(member, heldPath, inside);
  }
}

/** What a module holds itself, by its path below `path`. */
function* children(module: Module, path: string): Generator<Member> {
  for (const [property, value] of Object.entries(module)) {
    const name = module.torchNames[property] ?? snakeCase(property);
    yield* heldBy(value, below(path, name), isModule);
  }
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const isTrainable = (variable: AnyVariable): boolean => variable instanceof Parameter && variable.trainable;

/** A variable with the layout that PyTorch gives it. */
export const slotOf = (variable: AnyVariable): Slot => ({
  variable,
  layout: variable instanceof Parameter ? variable.layout : "plain",
});
