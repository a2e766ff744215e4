/** Gradient checkpointing (Chen et al. 2016): drop a function's intermediates and recompute them for the gradient. */
import { nodesBehind } from "../program/program.ts";
import { recordView, upcomingId } from "../record.ts";
import { type AnyTensor, isFloatTensor, resolve, type Tensor } from "../tensor.ts";
import { runTwice } from "./draws.ts";
import { partialGrad } from "./grad.ts";

/**
 * `fn` with its intermediates recomputed when gradients are taken, which trades time for memory. `fn` may use other
 * tensors (parameters) from outside. It must record the same operations when called again: draw random keys outside, or by
 * `drawOnce`, as the layers do.
 */
export function recompute<A extends readonly AnyTensor[]>(
  fn: (...inputs: A) => Tensor,
): (...inputs: A) => Tensor {
  return (...inputs) => {
    const start = upcomingId();
    const { first: result, again: runAgain } = runTwice(() => fn(...inputs));
    const outside = tensorsFromOutside(result, start, inputs.map(resolve));
    const gradientsAgain = (gradient: Tensor): Tensor[] => {
      const again = runAgain();
      return partialGrad(again, outside, { outputGradient: gradient, allowUnused: true });
    };
    let computed: { readonly gradient: Tensor; readonly all: Tensor[] } | undefined;
    const all = (gradient: Tensor): Tensor[] => {
      if (computed?.gradient !== gradient) computed = { gradient, all: gradientsAgain(gradient) };
      return computed.all;
    };
    const rules = outside.map((_, index) => [
      String(index),
      ({ y: g }: Readonly<Record<string, Tensor>>) => all(g!)[index]!,
    ]);
    const edges = outside.map((tensor, index) => [String(index), tensor]);
    return recordView(
      "recompute",
      result,
      result.shape,
      Object.fromEntries(rules),
      Object.fromEntries(edges),
    );
  };
}

/** Earlier tensors that the nodes since `start` read: arguments and captured tensors, floats only. */
function tensorsFromOutside(result: Tensor, start: number, inputs: readonly AnyTensor[]): Tensor[] {
  const outside = new Set<Tensor>(inputs.filter(isFloatTensor));
  const isOlder = ({ source }: AnyTensor): boolean => source.kind !== "node" || source.node.id < start;
  for (const node of nodesBehind([resolve(result)], isOlder)) {
    for (const input of Object.values(node.inputs)) {
      if (isOlder(input) && isFloatTensor(input)) outside.add(input);
    }
  }
  return [...outside];
}
