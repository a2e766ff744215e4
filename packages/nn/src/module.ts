/** The base of layers and models: an object whose properties are parameters, buffers and further modules. */
import { evaluate, tensor, Variable } from "@ddad/tensor";
import { StateDictError } from "./errors.ts";
import { Parameter } from "./parameter.ts";
import {
  elements,
  fromTorch,
  isFloat,
  type Layout,
  type StateDict,
  type StateEntry,
  torchShape,
  toTorch,
  withoutModulePrefix,
} from "./stateDict.ts";

/** Names that did not match when a state dict was loaded without `strict`. */
export interface LoadReport {
  /** Wanted by the module, absent from the dict: left as they were. */
  readonly missing: string[];
  /** In the dict, unknown to the module: not used. */
  readonly unexpected: string[];
}

/**
 * A piece of a network. Its own properties are what it is made of: `Parameter`s (trained), other `Variable`s (buffers),
 * modules, and arrays of these. Names in state dicts are PyTorch's: the path of properties in snake_case, or what
 * `torchNames` says ("" leaves a property's own name out of the path).
 */
export abstract class Module {
  /** Whether dropout and batch norm behave as in training. Set by `train()` and `eval()`. */
  training = true;
  /** PyTorch's names of properties that are called otherwise here, for example `{ conv1: "in_layers.2" }`. */
  readonly torchNames: Readonly<Record<string, string>> = {};

  /** Parameters and buffers, frozen ones included, by PyTorch's names and in the order of the properties. */
  namedState(): Map<string, Variable> {
    const state = new Map<string, Variable>();
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
  buffers(): Variable[] {
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

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Reads everything back, with PyTorch's names and layouts. Integers become i64, as PyTorch counts. */
  async stateDict(): Promise<StateDict> {
    const state = [...this.namedState()];
    await evaluate(...state.map(([, variable]) => variable));
    return new Map(
      await Promise.all(state.map(async ([name, variable]) => [name, await entryOf(variable)] as const)),
    );
  }

  /**
   * Takes over the values of a state dict with PyTorch's names and layouts (a prefix `module.` is dropped). Either all
   * values are taken over or, with an error, none.
   *
   * @param options `strict` (default true): names missing or left over are errors, not only reported
   * @throws StateDictError that lists every mismatch
   */
  loadStateDict(
    dict: ReadonlyMap<string, StateEntry>,
    { strict = true }: { readonly strict?: boolean } = {},
  ): LoadReport {
    const given = withoutModulePrefix(dict);
    const state = this.namedState();
    const missing = [...state.keys()].filter((name) => !given.has(name));
    const unexpected = [...given.keys()].filter((name) => !state.has(name));
    const problems = strict
      ? [
          ...missing.map((name) => `missing: "${name}" [${torchShapeOf(state.get(name)!).join(", ")}]`),
          ...unexpected.map((name) => `unexpected: "${name}" [${given.get(name)!.shape.join(", ")}]`),
        ]
      : [];
    const matching = [...state].filter(([name]) => given.has(name));
    for (const [name, variable] of matching) problems.push(...mismatches(name, variable, given.get(name)!));
    if (problems.length > 0) throw new StateDictError(problems);
    for (const [name, variable] of matching) variable.assign(tensorFor(variable, given.get(name)!));
    return { missing, unexpected };
  }
}

/** Variables and modules below `value`, each with its path. */
function* members(value: unknown, path: string): Generator<[path: string, member: Variable | Module]> {
  const below = (name: string): string => (path === "" || name === "" ? path + name : `${path}.${name}`);
  if (value instanceof Variable) {
    yield [path, value];
  } else if (value instanceof Module) {
    yield [path, value];
    for (const [property, member] of Object.entries(value)) {
      yield* members(member, below(value.torchNames[property] ?? snakeCase(property)));
    }
  } else if (Array.isArray(value)) {
    for (const [index, member] of value.entries()) yield* members(member, below(String(index)));
  }
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const isTrainable = (variable: Variable): boolean => variable instanceof Parameter && variable.trainable;

const layoutOf = (variable: Variable): Layout => (variable instanceof Parameter ? variable.layout : "plain");

const torchShapeOf = (variable: Variable): number[] => torchShape(layoutOf(variable), variable.shape);

async function entryOf(variable: Variable): Promise<StateEntry> {
  const shape = torchShapeOf(variable);
  const values = toTorch(layoutOf(variable), variable.shape, await variable.data());
  return values instanceof Float32Array
    ? { shape, dtype: "f32", data: values }
    : { shape, dtype: "i64", data: BigInt64Array.from(values, BigInt) };
}

function mismatches(name: string, variable: Variable, entry: StateEntry): string[] {
  const problems: string[] = [];
  const expected = torchShapeOf(variable).join(", ");
  if (entry.shape.join(", ") !== expected) {
    problems.push(`shape: "${name}" is [${entry.shape.join(", ")}] but the module has [${expected}]`);
  }
  const float = variable.dtype === "f32" || variable.dtype === "f16";
  if (isFloat(entry.dtype) !== float) {
    problems.push(
      `dtype: "${name}" is ${entry.dtype} but the module has ${variable.dtype}, and ` +
        `${float ? "floats" : "integers"} are loaded only from ${float ? "floats" : "integers"}`,
    );
  } else if (
    !float &&
    Array.from<number | bigint>(entry.data).some((value) => Number(value) !== (Number(value) | 0))
  ) {
    problems.push(`range: "${name}" holds integers of more than 32 bits`);
  }
  if (entry.data.length !== elements(entry.shape)) {
    problems.push(`size: "${name}" [${entry.shape.join(", ")}] has ${entry.data.length} elements`);
  }
  return problems;
}

/** The entry as a tensor in the variable's own order and type. */
function tensorFor(variable: Variable, { data }: StateEntry) {
  const { shape, dtype } = variable;
  if (dtype === "f32" || dtype === "f16") {
    const floats = data instanceof Float32Array ? data : Float32Array.from(data as ArrayLike<number>);
    return tensor(fromTorch(layoutOf(variable), shape, floats), shape, { dtype });
  }
  return tensor(Int32Array.from(data as ArrayLike<number | bigint>, Number), shape, { dtype });
}
