/** Reverse-mode differentiation: walks the recorded nodes backwards and records the gradients' nodes. */
import { type ElementwiseAttrs, elementwise, isFloat, sameShape, show } from "@ddad/kernels-wgsl";
import { InternalError, UsageError } from "../errors.ts";
import { add, cast } from "../ops/elementwise.ts";
import { broadcastTo } from "../ops/sum.ts";
import { mapRecord, nodesBehind } from "../program/program.ts";
import { recordView, zeroGradient } from "../record.ts";
import { type AnyTensor, type Node, resolve, type Tensor } from "../tensor.ts";

/** Tensors, and the gradients of the loss towards them. */
type GradientMap = Map<AnyTensor, Tensor>;

/**
 * From the gradients of some `roots` those of `wanted` that influence them, among the entries of the result. Nodes
 * behind `ends` are not visited.
 */
export function backpropagate(
  roots: readonly (readonly [root: Tensor, gradient: Tensor])[],
  wanted: readonly Tensor[],
  ends: readonly AnyTensor[] = [],
): GradientMap {
  const gradients: GradientMap = new Map();
  for (const [root, gradient] of roots) accumulate(gradients, root, gradient);
  const given = new Set<AnyTensor>(ends);
  const { nodes, dependent } = nodesBetween(
    wanted,
    roots.map(([root]) => root),
    given,
  );
  for (const node of nodes.reverse()) backward(node, dependent, given, gradients);
  return gradients;
}

/** The operations that stop all gradients between `input` and `root`: their derivative is zero, or their results are integers. */
export function derivativesEnd(root: Tensor, input: Tensor, ends: readonly Tensor[]): string[] {
  return [...nodesBetween([input], [root], new Set<AnyTensor>(ends.filter((end) => end !== input))).stops];
}

/** Nodes on the ways from `inputs` to `roots`, in order, all tensors on these ways, and operations at which ways end. */
function nodesBetween(
  inputs: readonly Tensor[],
  roots: readonly Tensor[],
  ends: ReadonlySet<AnyTensor>,
): { nodes: Node[]; dependent: Set<AnyTensor>; stops: Set<string> } {
  const dependent = new Set<AnyTensor>(inputs);
  const stops = new Set<string>();
  const nodes = nodesBehind(roots, (tensor) => ends.has(tensor)).filter((node) => {
    const touched = Object.entries(edgesOf(node)).filter(([, input]) => dependent.has(input));
    const reached = touched.some(([name]) => node.gradients[name] !== zeroGradient);
    const outputs = Object.values(node.outputs).filter(({ dtype }) => reached && isFloat(dtype));
    for (const output of outputs) dependent.add(output);
    if (touched.length && !outputs.length) stops.add(nameOf(node));
    return outputs.length > 0;
  });
  return { nodes, dependent, stops };
}

const edgesOf = ({ differentiable, inputs }: Node): Readonly<Record<string, AnyTensor>> =>
  differentiable ?? inputs;

/** Adds a node's contributions to the gradients of those inputs that depend on what is asked for. */
function backward(
  node: Node,
  dependent: ReadonlySet<AnyTensor>,
  ends: ReadonlySet<AnyTensor>,
  gradients: GradientMap,
): void {
  const given: Record<string, Tensor> = {};
  for (const [name, output] of Object.entries(node.outputs)) {
    const gradient = gradients.get(output);
    if (!gradient || ends.has(output)) continue;
    // Elementwise derivatives broadcast by themselves; everything else wants the full shape.
    const shaped = node.kernel?.name === elementwise.name ? gradient : broadcastTo(gradient, output.shape);
    // Sums are f32 also where what they are gradients of is f16. Only a cast takes them as they are: what is cast to f16 is
    // mostly a weight, whose gradient must not be rounded.
    given[name] = isCast(node) || !isFloat(output.dtype) ? shaped : cast(shaped, output.dtype);
  }
  if (!Object.keys(given).length) return;
  const edges = edgesOf(node);
  const names = Object.keys(edges).filter(
    (name) => dependent.has(edges[name]!) && node.gradients[name] !== zeroGradient,
  );
  const [first] = Object.keys(node.outputs) as [string];
  const { [first]: throughFirst, ...throughOthers } = given;
  const ruled = names.every((name) => node.gradients[name] !== undefined);
  if (throughFirst && ruled) {
    for (const name of names) {
      const rule = node.gradients[name];
      if (typeof rule === "function") accumulate(gradients, edges[name]!, rule({ [first]: throughFirst }));
    }
  }
  const left = ruled ? throughOthers : given;
  if (!Object.keys(left).length) return;
  for (const [name, gradient] of throughComposition(node, left, names))
    accumulate(gradients, edges[name]!, gradient);
}

/** Gradients of a node's inputs by its composition, which is recorded here; those that are not zero. */
function throughComposition(
  node: Node,
  given: Readonly<Record<string, Tensor>>,
  names: readonly string[],
): (readonly [name: string, gradient: Tensor])[] {
  const { composition } = node;
  if (!composition) throw new UsageError(withoutRule(node, Object.keys(given), names));
  const inputs = mapRecord(node.inputs, standIn);
  const outputs = composition(inputs);
  const roots = Object.entries(given).map(([name, gradient]): readonly [Tensor, Tensor] => {
    const output = outputs[name];
    if (!output) throw new UsageError(withoutOutput(node, name));
    if (!sameShape(output.shape, gradient.shape)) {
      throw new InternalError(
        `${node.name}: its composition gives ${name} ${show(output.shape)}, the kernel ${show(gradient.shape)}.`,
      );
    }
    return [resolve(output), cast(gradient, output.dtype)];
  });
  const wanted = names.map((name) => inputs[name]!);
  const found = backpropagate(roots, wanted, Object.values(inputs));
  return names.flatMap((name) => {
    const gradient = found.get(inputs[name]!);
    return gradient ? [[name, gradient] as const] : [];
  });
}

/**
 * The same elements as a tensor of its own, so that two inputs that are one tensor have two gradients; f32 where it is f16. Integers
 * stay as they are.
 */
const standIn = (x: AnyTensor): Tensor =>
  (x.dtype === "f32"
    ? recordView("input", x, x.shape, { x: ({ y: g }) => g! })
    : cast(x, isFloat(x.dtype) ? "f32" : x.dtype)) as Tensor;

function accumulate(gradients: GradientMap, input: AnyTensor, gradient: Tensor): void {
  const earlier = gradients.get(input);
  if (!earlier) gradients.set(input, gradient);
  else if (sameShape(earlier.shape, gradient.shape)) gradients.set(input, add(earlier, gradient));
  else gradients.set(input, add(broadcastTo(earlier, input.shape), gradient));
}

const firstStep = ({ kernel, attrs }: Node): string | undefined =>
  kernel?.name === elementwise.name ? (attrs as ElementwiseAttrs).expression.steps[0]!.op : undefined;

const isCast = (node: Node): boolean => firstStep(node)?.startsWith("to") ?? false;

/** The name of the operation that recorded a node. */
const nameOf = (node: Node): string => firstStep(node) ?? node.name;

const cure = "Use operations that have one, or detach what needs none.";

function withoutRule(node: Node, outputs: readonly string[], inputs: readonly string[]): string {
  const input = inputs.find((name) => node.gradients[name] === undefined);
  return input === undefined
    ? withoutOutput(node, outputs[0]!)
    : `grad: ${nameOf(node)} has no gradient towards its input ${input}. ${cure}`;
}

const withoutOutput = (node: Node, output: string): string =>
  `grad: ${nameOf(node)} has no gradient through its output ${output}. ${cure}`;
