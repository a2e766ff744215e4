/** Buffers that a forward pass in training updates (batch norm): who has to evaluate them, found from the loss. */
import { nodesBehind, type Tensor, type Variable } from "@ddad/tensor";

type Node = ReturnType<typeof nodesBehind>[number];

/** Recorded node → the variables that were assigned from its results. */
const updates = new WeakMap<Node, readonly Variable[]>();

/** Remembers that `variables` were assigned from `statistic`, a recorded tensor. */
export function noteUpdate(statistic: Tensor, variables: readonly Variable[]): void {
  const { source } = statistic;
  if (source.kind === "node") updates.set(source.node, variables);
}

/** The buffers with pending updates from nodes behind `loss`. */
export const pendingBuffers = (loss: Tensor): Variable[] =>
  nodesBehind([loss])
    .flatMap((node) => updates.get(node) ?? [])
    .filter(({ pending }) => pending);
