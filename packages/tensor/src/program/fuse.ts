/** Fusion: chains of elementwise calls become one call, so that their intermediates are never stored. */
import {
  type Expression,
  elementwise,
  maxExpressionConstants,
  maxExpressionInputs,
  type Ref,
  type Shape,
  type Step,
  sameShape,
  type TensorSpec,
} from "@ddad/kernels-wgsl";
import type { Program, ProgramCall, ValueId } from "./program.ts";

/** Longer chains compile slowly and gain little: each absorbed call saves one pass over memory. */
const maxSteps = 32;
/** Longer sums, as gradients have them, are cut into sums of so many terms: each length would be a shader of its own. */
const maxTerms = 4;

const isElementwise = (call: ProgramCall | undefined): call is ProgramCall =>
  call?.kernel.name === elementwise.name;
const outputOf = (call: ProgramCall): ValueId => call.outputs["y"]!;
const shapeOf = (call: ProgramCall): Shape => call.call.outputs["y"]!.shape;
const expressionOf = (call: ProgramCall): Expression =>
  (call.call.attrs as { expression: Expression }).expression;

/** A pure function: an equivalent program with fewer calls. Values keep their numbers. */
export function fuseProgram(program: Program): Program {
  const { calls } = program;
  const producer = new Map<ValueId, number>();
  const consumers = new Map<ValueId, number[]>();
  calls.forEach((call, index) => {
    for (const id of Object.values(call.outputs)) producer.set(id, index);
    for (const id of Object.values(call.inputs)) consumers.set(id, [...(consumers.get(id) ?? []), index]);
  });
  const kept = new Set([...program.results, ...program.assignments.map(([value]) => value)]);
  const absorbed = new Set<number>();
  const fused = new Map<number, ProgramCall>();

  for (let root = calls.length - 1; root >= 0; root--) {
    if (!isElementwise(calls[root]) || absorbed.has(root)) continue;
    const cluster = growCluster(root, program, { producer, consumers, kept, absorbed });
    if (cluster.length === 1) continue;
    for (const index of cluster) if (index !== root) absorbed.add(index);
    fused.set(root, mergeCalls(cluster.map((index) => calls[index]!)));
  }
  return {
    ...program,
    calls: calls.map((call, index) => fused.get(index) ?? call).filter((_, index) => !absorbed.has(index)),
  };
}

interface Uses {
  readonly producer: ReadonlyMap<ValueId, number>;
  readonly consumers: ReadonlyMap<ValueId, readonly number[]>;
  readonly kept: ReadonlySet<ValueId>;
  readonly absorbed: ReadonlySet<number>;
}

/** Indices, ascending, of the elementwise calls that can run inside the call `root`. */
function growCluster(
  root: number,
  { calls }: Program,
  { producer, consumers, kept, absorbed }: Uses,
): number[] {
  const cluster = new Set([root]);
  const shape = shapeOf(calls[root]!);
  for (let grown = true; grown; ) {
    grown = false;
    for (const member of [...cluster]) {
      for (const id of Object.values(calls[member]!.inputs)) {
        const index = producer.get(id);
        if (index === undefined || cluster.has(index) || absorbed.has(index) || kept.has(id)) continue;
        const candidate = calls[index]!;
        const inside = consumers
          .get(id)!
          .every((user) => cluster.has(user) && readsAs(calls[user]!, id, shape));
        if (!isElementwise(candidate) || !inside || !sameShape(shapeOf(candidate), shape)) continue;
        if (!fits([...cluster, index].map((k) => calls[k]!))) continue;
        cluster.add(index);
        grown = true;
      }
    }
  }
  return [...cluster].sort((a, b) => a - b);
}

/** Whether a call reads the value under `shape` everywhere (a view may have changed it). */
const readsAs = (call: ProgramCall, id: ValueId, shape: Shape): boolean =>
  Object.entries(call.inputs).every(
    ([name, input]) => input !== id || sameShape(call.call.inputs[name]!.shape, shape),
  );

/** A value under a shape: what one input of the fused call is. */
const inputKey = (id: ValueId, shape: Shape): string => `${id}:${shape.join(",")}`;

function fits(cluster: readonly ProgramCall[]): boolean {
  const made = new Set(cluster.map(outputOf));
  const inputs = new Set<string>();
  let steps = 0;
  let constants = 0;
  let isSum = true;
  for (const call of cluster) {
    const expression = expressionOf(call);
    steps += expression.steps.length;
    isSum &&= expression.constants.length === 0 && expression.steps.every(({ op }) => op === "add");
    constants += call.constants.length;
    for (const [name, id] of Object.entries(call.inputs)) {
      if (!made.has(id)) inputs.add(inputKey(id, call.call.inputs[name]!.shape));
    }
  }
  const mostInputs = isSum ? maxTerms : maxExpressionInputs;
  return steps <= maxSteps && inputs.size <= mostInputs && constants <= maxExpressionConstants;
}

/** One call for several, given in an order in which they can run; the last one's output is the result. */
function mergeCalls(cluster: readonly ProgramCall[]): ProgramCall {
  const inputs: Record<string, ValueId> = {};
  const specs: Record<string, TensorSpec> = {};
  const refs = new Map<string, Ref>();
  const made = new Map<ValueId, Ref>();
  const constants: number[] = [];
  const places: number[] = [];
  const steps: Step[] = [];
  for (const { call, inputs: ids, outputs, constants: own } of cluster) {
    const { expression } = call.attrs as { expression: Expression };
    const first = steps.length;
    const translate = (ref: Ref): Ref => {
      const index = Number(ref.replace(/\D+/, ""));
      if (ref.startsWith("s")) return `s${first + index}`;
      if (ref.startsWith("c")) {
        // Not shared where they are equal: the next run may bring others.
        places.push(own[index]!);
        return `c${constants.push(expression.constants[index]!) - 1}`;
      }
      const id = ids[ref]!;
      const earlier = made.get(id);
      if (earlier) return earlier;
      const key = inputKey(id, call.inputs[ref]!.shape);
      const name = refs.get(key) ?? (`in${refs.size}` as const);
      refs.set(key, name);
      inputs[name] = id;
      specs[name] = call.inputs[ref]!;
      return name;
    };
    for (const { op, args } of expression.steps) steps.push({ op, args: args.map(translate) });
    made.set(outputs["y"]!, `s${steps.length - 1}`);
  }
  const attrs = { expression: { inputs: refs.size, constants, steps } };
  const inference = elementwise.infer(specs as Parameters<typeof elementwise.infer>[0], attrs);
  const last = cluster.at(-1)!;
  return {
    kernel: last.kernel,
    call: { inputs: specs, attrs, ...inference },
    inputs,
    outputs: last.outputs,
    constants: places,
  };
}
