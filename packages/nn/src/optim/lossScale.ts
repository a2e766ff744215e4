/** Dynamic loss scaling (Micikevicius et al., "Mixed precision training", ICLR 2018), without reading back from the device. */
import { greaterEqual, maximum, minimum, type Tensor, tensor, Variable, where } from "@ddad/tensor";
import { checkOptions, checkTensor, sumOfSquares } from "@ddad/tensor/internal";
import { checkNumbers, checkTensors } from "../arguments.ts";
import { assignState, readState, type Slot } from "../state.ts";
import type { StateDict, StateEntry } from "../stateDict.ts";

/** Options of `LossScale`; the defaults are those of PyTorch's GradScaler. */
export interface LossScaleOptions {
  /** Scale of the first step. Default 2^16. */
  readonly initial?: number;
  /** Steps without an overflow after which the scale is doubled. Default 2000. */
  readonly interval?: number;
}

/** Beyond these a scale gains nothing: gradients are sums in f32. */
const bounds = { smallest: 1, largest: 2 ** 24 };

/**
 * Gradients that pass through f16 must neither vanish nor overflow: the loss is multiplied by a scale, which is halved
 * where a gradient overflowed (that step is skipped) and doubled where none did for a while.
 *
 * ```ts
 * const gradients = grad(lossScale.scale(loss), optimizer.parameters);
 * const { factor } = lossScale.update(gradients);
 * optimizer.step(gradients, { gradientScale: factor });
 * await evaluate(loss, ...optimizer.variables, ...lossScale.variables);
 * ```
 */
export class LossScale {
  readonly #scale: Variable;
  /** Steps since the scale last changed. */
  readonly #calm: Variable;
  readonly #interval: number;

  /** It starts at `initial`. */
  constructor(options: LossScaleOptions = {}) {
    const { initial = 2 ** 16, interval = 2000 } = checkOptions("LossScale", options, [
      "initial",
      "interval",
    ]);
    checkNumbers("LossScale", { initial, interval });
    this.#scale = new Variable(tensor([initial]));
    this.#calm = new Variable(tensor([0]));
    this.#interval = interval;
  }

  /** What `update` changes: evaluate them together with those of the optimiser. */
  get variables(): readonly Variable[] {
    return [this.#scale, this.#calm];
  }

  /** The loss to differentiate, one element. */
  scale(loss: Tensor): Tensor {
    checkTensor("LossScale.scale", "the loss", loss);
    return loss.mul(this.#scale.reshape(loss.shape));
  }

  /**
   * Records the overflow check of the scaled loss's gradients.
   *
   * @returns `factor` (one element) is 1 ÷ scale, or 0 where a gradient is not finite, which makes an optimiser skip the step. `norm`
   * (one element) is the norm of the gradients without the scale.
   */
  update(gradients: readonly Tensor[]): { readonly factor: Tensor; readonly norm: Tensor } {
    checkTensors("LossScale.update", "the gradients", gradients);
    const scale = this.#scale.value;
    const squares = sumOfSquares(...gradients);
    const finite = squares.isFinite();
    const factor = where(finite, scale.reciprocal(), 0);
    const calm = this.#calm.value.add(1);
    const grows = greaterEqual(calm, this.#interval);
    const grown = where(grows, minimum(scale.mul(2), bounds.largest), scale);
    this.#scale.assign(where(finite, grown, maximum(scale.mul(0.5), bounds.smallest)));
    this.#calm.assign(where(finite, where(grows, 0, calm), 0));
    return { factor, norm: squares.sqrt().mul(scale.reciprocal()) };
  }

  /** The scale of the next step; evaluates if need be. */
  async value(): Promise<number> {
    return this.#scale.item();
  }

  /** For an exact resume. */
  async stateDict(): Promise<StateDict> {
    return readState(this.#slots());
  }

  /** Continues where another was saved. Throws StateDictError listing every mismatch. */
  loadStateDict(dict: ReadonlyMap<string, StateEntry>): void {
    assignState(this.#slots(), dict, true);
  }

  /** Frees its two variables now. */
  dispose(): void {
    for (const variable of this.variables) variable.dispose();
  }

  /** `dispose` at the end of the block that declares it by `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #slots(): Map<string, Slot> {
    return new Map([
      ["scale", { variable: this.#scale, layout: "plain" }],
      ["calm", { variable: this.#calm, layout: "plain" }],
    ]);
  }
}
