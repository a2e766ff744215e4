import { matmul, split, type Tensor } from "@ddad/tensor";
import { type CellState, type CellWeights, Recurrent, type RecurrentOptions } from "./recurrent.ts";

/** State of a GRU, [layers · directions, N, hidden]. */
export interface GRUState {
  /** What the next time step reads. */
  readonly hidden: Tensor;
}

/**
 * Gated recurrent unit (Cho et al., EMNLP 2014), with PyTorch's parameter names, gate order r, z, n, and bias inside the reset:
 *
 *     n ← tanh(x Wₙ + bₙ + σ(r) (h Uₙ + cₙ))          h ← (1 − σ(z)) n + σ(z) h
 */
export class GRU extends Recurrent {
  /** @throws RangeError where a number is out of range, UsageError for an unknown option */
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super(["GRU", 3], inputSize, hiddenSize, options);
  }

  /**
   * @param x [N, T, inputSize]
   * @param state where to begin; default zeros
   * @returns `output` [N, T, directions · hiddenSize], hidden states of the last layer, and the last `hidden`
   */
  forward(x: Tensor, state?: GRUState): GRUState & { readonly output: Tensor } {
    const { output, last } = this.run(x, state, ["hidden"]);
    return { output, hidden: last[0]! };
  }

  protected override inputBias(ofInput: Tensor): Tensor {
    return ofInput;
  }

  protected override cell(
    projected: Tensor,
    state: CellState,
    { recurrent, recurrentBias }: CellWeights,
  ): Tensor[] {
    const [r, z, n] = split(projected, this.hiddenSize, 1) as [Tensor, Tensor, Tensor];
    const own = state
      ? matmul(state[0]!, recurrent, recurrentBias ? { bias: recurrentBias } : {})
      : recurrentBias?.reshape([1, recurrentBias.size]);
    if (!own) return [z.neg().sigmoid().mul(n.tanh())];
    const [ownR, ownZ, ownN] = split(own, this.hiddenSize, 1) as [Tensor, Tensor, Tensor];
    const update = z.add(ownZ).sigmoid();
    const next = n.add(r.add(ownR).sigmoid().mul(ownN)).tanh();
    return [state ? next.add(update.mul(state[0]!.sub(next))) : next.sub(update.mul(next))];
  }
}
