/** Calls a module on placeholders and keeps the recorded operations between its inputs and its outputs. */
import { type AnyTensor, type AnyVariable, Tensor, UsageError, Variable } from "@ddad/tensor";
import { type Node, nodeOf } from "@ddad/tensor/internal";
import type { Module } from "../module.ts";
import type { OnnxSource } from "./source.ts";

/** One operation, or one call of a module that is translated as a whole. Its tensors are those of the recording. */
export interface Step {
  /** Name of the kernel, `reshape`, or of the module's class. */
  readonly op: string;
  readonly attrs: unknown;
  readonly module: Module | undefined;
  readonly inputs: Readonly<Record<string, AnyTensor>>;
  readonly outputs: Readonly<Record<string, AnyTensor>>;
  /** PyTorch's name of the innermost module that recorded it; "" for the outermost. */
  readonly scope: string;
}

export interface Trace {
  readonly inputs: Readonly<Record<string, AnyTensor>>;
  readonly outputs: Readonly<Record<string, AnyTensor>>;
  /** In an order in which they can run. What depends on no input is not among them. */
  readonly steps: readonly Step[];
  /** Tensors that steps read and that depend on no input: weights, and what is computed from weights alone. */
  readonly constants: readonly AnyTensor[];
}

export type ModuleClass = abstract new (...args: never[]) => Module;

/** A call of a module, kept while the outermost call runs. */
interface Call {
  readonly module: Module;
  readonly scope: string;
  readonly args: readonly AnyTensor[];
}

/** Records `source` on a batch of `batch`. Modules of the classes `whole` become one step a call. */
export function trace(source: OnnxSource, batch: number, whole: readonly ModuleClass[]): Trace {
  const inputs = Object.fromEntries(
    Object.entries(source.inputs).map(([name, extents], index) => {
      const shape = extents.map((extent) => (extent === "N" ? batch : extent));
      return [name, new Tensor({ shape, dtype: "f32" }, { kind: "argument", index })];
    }),
  );
  const scopes = new Map<Node, string>();
  const wholes = new Map<Node, Call>();
  const outputs = watchCalls(
    source.module,
    () => inEvaluation(source.module, () => source.forward(inputs)),
    (call, result) => {
      // Inner calls return first, so what has no scope yet was recorded by this module itself.
      for (const node of nodesBetween(call.args, [result])) {
        if (!scopes.has(node)) scopes.set(node, call.scope);
      }
      const made = nodeOf(result);
      if (made && whole.some((type) => call.module instanceof type)) wholes.set(made, call);
    },
  );
  return { inputs, ...settle(inputs, outputs, stepsBehind(outputs, scopes, wholes)) };
}

/** Runs `fn` with `root` and all below it in evaluation mode, and gives each its own mode back. */
export function inEvaluation<T>(root: Module, fn: () => T): T {
  const modes = new Map(root.modules().map((module) => [module, module.training]));
  root.eval();
  try {
    return fn();
  } finally {
    for (const [module, training] of modes) module.training = training;
  }
}

/** Runs `fn` and tells each call of `forward` of a module below `root` that gives a tensor. */
function watchCalls<T>(root: Module, fn: () => T, onReturn: (call: Call, result: AnyTensor) => void): T {
  type Callable = Module & { forward?: (...args: unknown[]) => unknown };
  const modules: Callable[] = root.modules();
  const names = new Map([...root.namedState()].map(([name, variable]) => [variable, name]));
  const own = modules.map((module) => Object.hasOwn(module, "forward"));
  const forwards = modules.map(({ forward }) => forward);
  for (const [index, module] of modules.entries()) {
    const forward = forwards[index];
    const scope = scopeOf(module, names);
    if (!forward || scope === undefined) continue;
    module.forward = (...args) => {
      const result = forward.apply(module, args);
      const tensors = args.flat().filter((arg): arg is Tensor => arg instanceof Tensor);
      if (result instanceof Tensor) onReturn({ module, scope, args: tensors.map(resolve) }, resolve(result));
      return result;
    };
  }
  try {
    return fn();
  } finally {
    for (const [index, module] of modules.entries()) {
      if (own[index]) module.forward = forwards[index]!;
      else delete module.forward; // that of its class shows again
    }
  }
}

/** A module's path, from the full and the relative name of a variable in it; what has no variables belongs to its caller. */
function scopeOf(module: Module, names: ReadonlyMap<AnyVariable, string>): string | undefined {
  for (const [relative, variable] of module.namedState()) {
    return names.get(variable)!.slice(0, -relative.length - 1);
  }
  return undefined;
}

function nodesBetween(from: readonly AnyTensor[], to: readonly AnyTensor[]): Set<Node> {
  const borders = new Set(from);
  const found = new Set<Node>();
  const stack = [...to];
  for (let tensor = stack.pop(); tensor; tensor = stack.pop()) {
    const node = nodeOf(tensor);
    if (borders.has(tensor) || !node || found.has(node)) continue;
    found.add(node);
    stack.push(...Object.values(node.inputs));
  }
  return found;
}

/** Steps in the order of recording; nothing behind the inputs of a module that is one step. */
function stepsBehind(
  outputs: Readonly<Record<string, AnyTensor>>,
  scopes: ReadonlyMap<Node, string>,
  wholes: ReadonlyMap<Node, Call>,
): Step[] {
  const found = new Map<Node, Step>();
  const stack = Object.values(outputs).map(resolve);
  for (let tensor = stack.pop(); tensor; tensor = stack.pop()) {
    const node = nodeOf(tensor);
    if (!node || found.has(node)) continue;
    const call = wholes.get(node);
    const step = call ? stepOfCall(call, tensor) : { ...stepOfNode(node), scope: scopes.get(node) ?? "" };
    found.set(node, step);
    stack.push(...Object.values(step.inputs));
  }
  return [...found].sort(([a], [b]) => a.id - b.id).map(([, step]) => step);
}

const stepOfNode = ({ name, attrs, inputs, outputs }: Node): Omit<Step, "scope"> => ({
  op: name,
  attrs,
  module: undefined,
  inputs,
  outputs,
});

/** The arguments are called 0, 1, …; the module's variables have their names in its state dict. */
function stepOfCall({ module, scope, args }: Call, result: AnyTensor): Step {
  const state = [...module.namedState()].map(([name, variable]) => [name, resolve(variable)]);
  const inputs = Object.fromEntries([...Object.entries(args), ...state]);
  return { op: module.constructor.name, attrs: {}, module, scope, inputs, outputs: { y: result } };
}

/** Splits what depends on an input from what does not. */
function settle(
  inputs: Readonly<Record<string, AnyTensor>>,
  outputs: Readonly<Record<string, AnyTensor>>,
  steps: readonly Step[],
): Omit<Trace, "inputs"> {
  const dependent = new Set(Object.values(inputs));
  const constants = new Set<AnyTensor>();
  const kept = steps.filter((step) => {
    const read = Object.values(step.inputs);
    if (!read.some((tensor) => dependent.has(tensor))) {
      if (!step.op.startsWith("random")) return false;
      throw new UsageError(
        `exportOnnx: ${step.scope || "forward"} draws random numbers, which a file cannot hold.`,
      );
    }
    for (const output of Object.values(step.outputs)) dependent.add(output);
    return true;
  });
  for (const tensor of kept.flatMap((step) => Object.values(step.inputs))) {
    if (!dependent.has(tensor)) constants.add(tensor);
  }
  const resolved = Object.entries(outputs).map(([name, tensor]) => [name, resolve(tensor)] as const);
  for (const [name, tensor] of resolved) {
    if (!dependent.has(tensor)) throw new UsageError(`exportOnnx: the output ${name} depends on no input.`);
  }
  return { outputs: Object.fromEntries(resolved), steps: kept, constants: [...constants] };
}

export const resolve = (tensor: AnyTensor): AnyTensor => (tensor instanceof Variable ? tensor.value : tensor);
