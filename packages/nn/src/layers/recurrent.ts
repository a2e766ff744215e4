/** Common parts of LSTM and GRU: parameters with PyTorch's names, layers, directions, and the loop over time steps. */
import { concat, matmul, ShapeError, slice, split, type Tensor } from "@ddad/tensor";
import { checkOptions } from "@ddad/tensor/internal";
import { checkFloats, checkSizes } from "../arguments.ts";
import type { HostRandom } from "../hostRandom.ts";
import { fanInUniform } from "../init.ts";
import { Module } from "../module.ts";
import { type Parameter, parameter } from "../parameter.ts";
import { Dropout } from "./dropout.ts";

/** Options of `LSTM` and `GRU`. */
export interface RecurrentOptions {
  /** Layers on top of each other. Default 1. */
  readonly numLayers?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Dropout between the layers in training. Default 0. */
  readonly dropout?: number;
  /** Reads the sequence backwards, too: features double. Default false. */
  readonly bidirectional?: boolean;
  /** Where initial values come from; default the stream that `setSeed` starts. */
  readonly random?: HostRandom | undefined;
}

/** State [N, hidden] of a cell, one tensor for each of its series; undefined is zeros. */
export type CellState = readonly Tensor[] | undefined;

/** Weights of one layer in one direction, f32. */
export interface CellWeights {
  /** [hidden, gates · hidden] */
  readonly recurrent: Tensor;
  /** [gates · hidden], where there are biases: that of the recurrent product. */
  readonly recurrentBias: Tensor | undefined;
}

/** A recurrent network over x [N, T, inputs]. Initial weights are U(±1/√hidden). */
export abstract class Recurrent extends Module {
  override readonly torchNames = { weights: "" };
  /** `weight_ih_l0` [inputs, gates · hidden], `weight_hh_l0` [hidden, gates · hidden], `bias_ih_l0`, `bias_hh_l0` …, as PyTorch names them. */
  readonly weights: Readonly<Record<string, Parameter>>;
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly bidirectional: boolean;
  readonly dropout: Dropout;
  readonly #name: string;

  constructor(
    [name, gates]: readonly [name: string, gates: number],
    inputSize: number,
    hiddenSize: number,
    options: RecurrentOptions,
  ) {
    super();
    checkOptions(name, options, ["numLayers", "bias", "dropout", "bidirectional", "random"]);
    const { numLayers = 1, bias = true, dropout = 0, bidirectional = false, random } = options;
    checkSizes(name, { inputSize, hiddenSize, numLayers });
    this.#name = name;
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.numLayers = numLayers;
    this.bidirectional = bidirectional;
    this.dropout = new Dropout(dropout);
    const directions = bidirectional ? 2 : 1;
    const settings = { init: fanInUniform, fan: { in: hiddenSize, out: gates * hiddenSize }, random };
    const weights: Record<string, Parameter> = {};
    for (const suffix of this.#suffixes()) {
      const inputs = suffix.startsWith("l0") ? inputSize : directions * hiddenSize;
      for (const [kind, rows] of [
        ["ih", inputs],
        ["hh", hiddenSize],
      ] as const) {
        weights[`weight_${kind}_${suffix}`] = parameter([rows, gates * hiddenSize], {
          ...settings,
          layout: "linear",
        });
      }
      for (const kind of bias ? ["ih", "hh"] : []) {
        weights[`bias_${kind}_${suffix}`] = parameter([gates * hiddenSize], settings);
      }
    }
    this.weights = weights;
  }

  /** One time step: `projected` [N, gates · hidden] is the input's part, biases included as `inputBias` says. Gives the next state, hidden first. */
  protected abstract cell(projected: Tensor, state: CellState, weights: CellWeights): Tensor[];

  /** What is added to the input's product before the walk. */
  protected abstract inputBias(ofInput: Tensor, ofState: Tensor): Tensor;

  /**
   * @param x [N, T, inputs]; computed in f32
   * @param state initial state of each of the series `names`, [layers · directions, N, hidden], or undefined for zeros
   * @returns the last layer's hidden states [N, T, directions · hidden] in x's type, and the last state of each series
   * @throws ShapeError where x or a state does not fit
   */
  protected run<N extends string>(
    x: Tensor,
    state: Readonly<Record<N, Tensor>> | undefined,
    names: readonly N[],
  ): { output: Tensor; last: Tensor[] } {
    const series = names.map((name) => {
      if (state) checkFloats(this.#name, `${name} of the state`, state[name]);
      return state?.[name];
    });
    this.#check(x, series);
    const finals: Tensor[][] = [];
    let features = x.cast("f32");
    const directions = this.bidirectional ? 2 : 1;
    for (let layer = 0; layer < this.numLayers; layer++) {
      if (layer > 0) features = this.dropout.forward(features);
      const outputs: Tensor[] = [];
      for (let direction = 0; direction < directions; direction++) {
        const place = layer * directions + direction;
        const state = initialState(series, place);
        const { hidden, final } = this.#walk(features, this.#suffixes()[place]!, direction === 1, state);
        outputs.push(hidden);
        finals.push(final);
      }
      features = outputs.length === 1 ? outputs[0]! : concat(outputs, -1);
    }
    const last = finals[0]!.map((_, k) =>
      concat(
        finals.map((final) => unsqueezed(final[k]!)),
        0,
      ),
    );
    return { output: features.cast(x.dtype), last };
  }

  /** One layer in one direction over features [N, T, C]. */
  #walk(
    features: Tensor,
    suffix: string,
    backwards: boolean,
    initial: CellState,
  ): { hidden: Tensor; final: Tensor[] } {
    const weight = (name: string): Parameter | undefined => this.weights[`${name}_${suffix}`];
    const [n, steps, inputs] = features.shape as [number, number, number];
    const [ofInput, ofState] = [weight("bias_ih"), weight("bias_hh")];
    const bias = ofInput && ofState ? { bias: this.inputBias(ofInput, ofState) } : {};
    const product = matmul(features.reshape([n * steps, inputs]), weight("weight_ih")!, bias);
    const parts = timeSteps(product.reshape([n, steps, product.shape[1]!]));
    const weights = { recurrent: weight("weight_hh")!, recurrentBias: ofState };
    const hidden: Tensor[] = [];
    let state = initial;
    for (const projected of backwards ? parts.toReversed() : parts) {
      state = this.cell(projected, state, weights);
      hidden.push(state[0]!.reshape([n, 1, this.hiddenSize]));
    }
    return { hidden: concat(backwards ? hidden.toReversed() : hidden, 1), final: [...state!] };
  }

  /** `l0`, `l0_reverse`, `l1`, … */
  #suffixes(): string[] {
    return Array.from({ length: this.numLayers }, (_, layer) =>
      this.bidirectional ? [`l${layer}`, `l${layer}_reverse`] : [`l${layer}`],
    ).flat();
  }

  #check(x: Tensor, series: readonly (Tensor | undefined)[]): void {
    checkFloats(this.#name, "x", x);
    const [n, steps, inputs] = x.shape;
    if (x.shape.length !== 3 || inputs !== this.inputSize || steps === 0) {
      throw new ShapeError(
        `${this.#name}: x must be [N, T, ${this.inputSize}] with at least one time step, but is [${x.shape.join(", ")}].`,
      );
    }
    const wanted = [this.numLayers * (this.bidirectional ? 2 : 1), n, this.hiddenSize].join(", ");
    for (const state of series) {
      if (!state || state.shape.join(", ") === wanted) continue;
      throw new ShapeError(
        `${this.#name}: the initial state must be [${wanted}], but is [${state.shape.join(", ")}].`,
      );
    }
  }
}

const unsqueezed = (x: Tensor): Tensor => x.reshape([1, ...x.shape]);

/** Of one layer and direction: [N, hidden] of each series. */
function initialState(series: readonly (Tensor | undefined)[], place: number): CellState {
  if (series.some((state) => state === undefined)) return undefined;
  return series.map((state) =>
    slice(state!, [place], [place + 1])
      .reshape(state!.shape.slice(1))
      .cast("f32"),
  );
}

/**
 * [N, T, C] → T tensors [N, C], by recursive bisection: the gradient of a cut is a tensor of the whole extent, and T cuts
 * would cost T² steps' memory traffic.
 */
function timeSteps(x: Tensor): Tensor[] {
  const [n, steps, channels] = x.shape as [number, number, number];
  if (steps === 1) return [x.reshape([n, channels])];
  const half = Math.ceil(steps / 2);
  return split(x, [half, steps - half], 1).flatMap(timeSteps);
}
