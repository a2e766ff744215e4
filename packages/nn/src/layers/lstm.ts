import { matmul, split, type Tensor } from "@ddad/tensor";
import { type CellState, type CellWeights, Recurrent, type RecurrentOptions } from "./recurrent.ts";

/** States of an LSTM, [layers · directions, N, hidden] each. */
export interface LSTMState {
  /** The outputs, which the next time step reads. */
  readonly hidden: Tensor;
  /** The memory behind them. */
  readonly cell: Tensor;
}

/**
 * Long short-term memory (Hochreiter and Schmidhuber 1997), with PyTorch's parameter names and gate order i, f, g, o:
 *
 *     c ← σ(f) c + σ(i) tanh(g)          h ← σ(o) tanh(c)
 */
export class LSTM extends Recurrent {
  /** @throws RangeError where a number is out of range, UsageError for an unknown option */
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super(["LSTM", 4], inputSize, hiddenSize, options);
  }

  /**
   * @param x [N, T, inputSize]
   * @param state where to begin; default zeros
   * @returns `output` [N, T, directions · hiddenSize], hidden states of the last layer, and the last `hidden` and `cell`
   */
  forward(x: Tensor, state?: LSTMState): LSTMState & { readonly output: Tensor } {
    const { output, last } = this.run(x, state, ["hidden", "cell"]);
    return { output, hidden: last[0]!, cell: last[1]! };
  }

  protected override inputBias(ofInput: Tensor, ofState: Tensor): Tensor {
    return ofInput.add(ofState);
  }

  protected override cell(projected: Tensor, state: CellState, { recurrent }: CellWeights): Tensor[] {
    const gates = state ? projected.add(matmul(state[0]!, recurrent)) : projected;
    const [i, f, g, o] = split(gates, this.hiddenSize, 1) as [Tensor, Tensor, Tensor, Tensor];
    const added = i.sigmoid().mul(g.tanh());
    const cell = state ? f.sigmoid().mul(state[1]!).add(added) : added;
    return [o.sigmoid().mul(cell.tanh()), cell];
  }
}
