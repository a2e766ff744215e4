/** Buffers that a forward pass in training updates (batch norm): who has to evaluate them, found from the loss. */
import type { AnyVariable, Tensor } from "@ddad/tensor";
import { isPending, type Node, nodeOf, nodesBehind } from "@ddad/tensor/internal";

/** Recorded node → the variables that were assigned from its results. */
const updates = new WeakMap<Node, readonly AnyVariable[]>();

/** Remembers that `variables` were assigned from `statistic`, a recorded tensor. */
export function noteUpdate(statistic: Tensor, variables: readonly AnyVariable[]): void {
  const node = nodeOf(statistic);
  if (node) updates.set(node, variables);
}

/** The buffers with pending updates from nodes behind `loss`. */
export const pendingBuffers = (loss: Tensor): AnyVariable[] =>
  nodesBehind([loss])
    .flatMap((node) => updates.get(node) ?? [])
    .filter(isPending);
