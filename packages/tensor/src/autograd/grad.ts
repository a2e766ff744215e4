/** Reverse-mode differentiation: walks the recorded nodes backwards and records the gradients' nodes. */
import { type ElementwiseAttrs, elementwise, ShapeError, sameShape, show } from "@ddad/kernels-wgsl";
import { constant } from "../create.ts";
import { add, cast } from "../ops/elementwise.ts";
import { broadcastTo } from "../ops/sum.ts";
import { nodesBehind } from "../program/program.ts";
import { type Node, resolve, type Tensor } from "../tensor.ts";

/** Options of `grad`. */
export interface GradOptions {
  /** Gradient of the result, where it is no scalar. Shape of `loss`. */
  readonly outputGradient?: Tensor;
  /** Give zeros for inputs that the loss does not depend on, instead of an error. */
  readonly allowUnused?: boolean;
}

/**
 * Gradients of `loss` (one element, unless `outputGradient` is given) towards each of `inputs`, in their order and shapes.
 * Only what leads from the inputs to the loss is differentiated. Throws where an input has no influence on the loss.
 */
export function grad(loss: Tensor, inputs: readonly Tensor[], options: GradOptions = {}): Tensor[] {
  return gradientsOf(loss, inputs, options, false);
}

/**
 * The same for inputs that are taken as given: what one of them does to the loss by way of another does not count. Gradients of a
 * piece of a graph, which the rest of the graph passes on.
 */
export function partialGrad(loss: Tensor, inputs: readonly Tensor[], options: GradOptions = {}): Tensor[] {
  return gradientsOf(loss, inputs, options, true);
}

function gradientsOf(
  loss: Tensor,
  inputs: readonly Tensor[],
  { outputGradient, allowUnused = false }: GradOptions,
  partial: boolean,
): Tensor[] {
  const root = resolve(loss);
  const wanted = inputs.map(resolve);
  if (!outputGradient && loss.size !== 1) {
    throw new ShapeError(
      `grad: the loss must have one element but is ${show(loss.shape)}; reduce it by sum or mean.`,
    );
  }
  if (root.source.kind !== "node" && !wanted.includes(root)) {
    throw new Error(
      "grad: the loss is already evaluated and its graph is gone. Call grad before evaluate, or use valueAndGrad.",
    );
  }
  const gradients = new Map<Tensor, Tensor>([[root, outputGradient ?? constant(1, loss.shape)]]);
  const path = nodesBetween(wanted, root, partial);
  for (const node of path.nodes.reverse()) backward(node, path.dependent, gradients);

  return wanted.map((input, index) => {
    const gradient = gradients.get(input);
    if (gradient) return broadcastTo(gradient, input.shape);
    if (allowUnused) return constant(0, input.shape);
    throw new Error(
      `grad: the loss does not depend on input ${index} ${show(input.shape)}. Leave it out, or pass allowUnused.`,
    );
  });
}

/** Adds a node's contributions to the gradients of those inputs that depend on what is asked for. */
function backward(node: Node, dependent: ReadonlySet<Tensor>, gradients: Map<Tensor, Tensor>): void {
  const given: Record<string, Tensor> = {};
  Object.entries(node.outputs).forEach(([name, output], index) => {
    const gradient = gradients.get(output);
    if (!gradient) return;
    if (index > 0) throw new Error(`grad: ${node.name} has no gradient through its output ${name}.`);
    // Elementwise derivatives broadcast by themselves; everything else wants the full shape.
    const shaped = node.kernel?.name === elementwise.name ? gradient : broadcastTo(gradient, output.shape);
    // Sums are f32 also where what they are gradients of is f16. Only a cast takes them as they are: what is cast to f16 is
    // mostly a weight, whose gradient must not be rounded.
    given[name] = isCast(node) ? shaped : cast(shaped, output.dtype);
  });
  if (!Object.keys(given).length) return;
  for (const [name, input] of Object.entries(node.differentiable ?? node.inputs)) {
    if (!dependent.has(input)) continue;
    const rule = node.gradients[name];
    if (!rule) continue;
    const gradient = rule(given);
    const earlier = gradients.get(input);
    if (!earlier) gradients.set(input, gradient);
    else gradients.set(input, accumulate(earlier, gradient, input));
  }
}

const isCast = ({ kernel, attrs }: Node): boolean =>
  kernel?.name === elementwise.name && (attrs as ElementwiseAttrs).expression.steps[0]!.op.startsWith("to");

const accumulate = (a: Tensor, b: Tensor, input: Tensor): Tensor =>
  sameShape(a.shape, b.shape) ? add(a, b) : add(broadcastTo(a, input.shape), b);

/** Nodes on the ways from `inputs` to `root`, in order, and all tensors on these ways; those to other inputs are left out of `partial`. */
function nodesBetween(
  inputs: readonly Tensor[],
  root: Tensor,
  partial: boolean,
): { nodes: Node[]; dependent: Set<Tensor> } {
  const dependent = new Set(inputs);
  const given = new Set(inputs);
  const behind = nodesBehind([root], partial ? (tensor) => given.has(tensor) : undefined);
  const nodes = behind.filter((node) => {
    const edges = node.differentiable ?? node.inputs;
    const reached = Object.keys(edges).some(
      (name) => dependent.has(edges[name]!) && node.gradients[name] !== undefined,
    );
    if (reached) for (const output of Object.values(node.outputs)) dependent.add(output);
    return reached;
  });
  return { nodes, dependent };
}

/**
 * Turns `fn` into a function that also gives the gradients of its result towards its arguments (or towards
 * `parameters`, where they are given).
 */
export function valueAndGrad<A extends readonly Tensor[]>(
  fn: (...args: A) => Tensor,
  parameters?: readonly Tensor[],
): (...args: A) => { value: Tensor; gradients: Tensor[] } {
  return (...args) => {
    const value = fn(...args);
    return { value, gradients: grad(value, parameters ?? args) };
  };
}
