import {
  arange,
  attention,
  attentionPacked,
  linear,
  matmul,
  ShapeError,
  softmax,
  split,
  type Tensor,
  where,
} from "@ddad/tensor";
import { checkOptions } from "@ddad/tensor/internal";
import { checkFloats, checkSizes } from "../arguments.ts";
import type { HostRandom } from "../hostRandom.ts";
import { allZeros, xavierUniform } from "../init.ts";
import { Module } from "../module.ts";
import { castLike, type Parameter, parameter } from "../parameter.ts";
import { Dropout } from "./dropout.ts";
import { Linear } from "./linear.ts";

/** Options of `MultiheadAttention`. */
export interface MultiheadAttentionOptions {
  /** Default true. */
  readonly bias?: boolean;
  /** Dropout of the attention weights in training. Default 0. */
  readonly dropout?: number;
  /** Features of the keys; default those of the queries. */
  readonly keySize?: number;
  /** Features of the values; default those of the queries. */
  readonly valueSize?: number;
  /** Where initial values come from; default the stream that `setSeed` starts. */
  readonly random?: HostRandom | undefined;
}

/** What a query attends to. */
export interface AttendOptions {
  /**
   * bool (true: attend) or floats that are added to the logits; broadcast to [N, heads, T, S]. PyTorch's module takes the opposite
   * bool. To leave padding out, reshape a mask [N, S] to [N, 1, 1, S].
   */
  readonly mask?: Tensor | Tensor<"bool"> | undefined;
  /** Whether query t sees the keys 0 … t only. Default false. */
  readonly causal?: boolean;
}

/**
 * Attention with several heads (Vaswani et al. 2017), with PyTorch's parameter names: `in_proj_weight`, `in_proj_bias`, `out_proj.…`
 * or, where keys or values have other features, `q_proj_weight`, `k_proj_weight`, `v_proj_weight`.
 */
export class MultiheadAttention extends Module {
  /** Projections to queries, keys and values, of shape [features, 3 · features]. */
  readonly inProjWeight: Parameter | undefined;
  /** [features or keySize or valueSize, features], in the place of `inProjWeight`. */
  readonly qProjWeight: Parameter | undefined;
  /** [keySize, features] */
  readonly kProjWeight: Parameter | undefined;
  /** [valueSize, features] */
  readonly vProjWeight: Parameter | undefined;
  /** [3 · features] */
  readonly inProjBias: Parameter | undefined;
  /** From the heads' results, [N, T, features], to the output. */
  readonly outProj: Linear;
  /** Of the attention weights. */
  readonly dropout: Dropout;
  /** Of the queries and of the output. */
  readonly features: number;
  /** Number of heads; each has features / heads features. */
  readonly heads: number;

  /** @throws RangeError where heads does not divide features */
  constructor(features: number, heads: number, options: MultiheadAttentionOptions = {}) {
    super();
    checkOptions("MultiheadAttention", options, ["bias", "dropout", "keySize", "valueSize", "random"]);
    const { bias = true, dropout = 0, keySize = features, valueSize = features, random } = options;
    checkSizes("MultiheadAttention", { features, heads, keySize, valueSize });
    if (features % heads) {
      throw new RangeError(`MultiheadAttention: heads must divide features (${features}), but is ${heads}.`);
    }
    const projection = (inputs: number, outputs: number): Parameter =>
      parameter([inputs, outputs], {
        ...{ init: xavierUniform, fan: { in: inputs, out: outputs }, layout: "linear", random },
      });
    const alike = keySize === features && valueSize === features;
    this.inProjWeight = alike ? projection(features, 3 * features) : undefined;
    this.qProjWeight = alike ? undefined : projection(features, features);
    this.kProjWeight = alike ? undefined : projection(keySize, features);
    this.vProjWeight = alike ? undefined : projection(valueSize, features);
    this.inProjBias = bias ? parameter([3 * features], { init: allZeros }) : undefined;
    this.outProj = new Linear(features, features, { bias, initBias: allZeros, random });
    this.dropout = new Dropout(dropout);
    this.features = features;
    this.heads = heads;
  }

  /**
   * @param query [N, T, features]
   * @param key [N, S, keySize]; default `query`
   * @param value [N, S, valueSize]; default `key`
   * @returns [N, T, features]; the weights are not returned, because they are mostly never kept
   * @throws ShapeError where the shapes do not fit
   */
  forward(query: Tensor, key: Tensor = query, value: Tensor = key, options: AttendOptions = {}): Tensor {
    const { mask, causal = false } = checkOptions("MultiheadAttention", options, ["mask", "causal"]);
    this.#check({ query, key, value });
    const drops = this.dropout.training && this.dropout.p > 0;
    const isSelf = query === key && key === value && this.inProjWeight !== undefined;
    const attended =
      isSelf && !mask && !causal && !drops
        ? attentionPacked(this.#packed(query))
        : this.#attend(this.#projections(query, key, value), { mask, causal }, drops);
    const [n, t] = query.shape as [number, number, number];
    return this.outProj.forward(attended.reshape([n, t, this.features]));
  }

  #check(inputs: Readonly<Record<"query" | "key" | "value", Tensor>>): void {
    const { features } = this;
    const sizes = {
      query: features,
      key: this.kProjWeight?.shape[0] ?? features,
      value: this.vProjWeight?.shape[0] ?? features,
    };
    for (const [name, x] of Object.entries(inputs)) {
      checkFloats("MultiheadAttention", name, x);
      const size = sizes[name as keyof typeof sizes];
      if (x.shape.length === 3 && x.shape[2] === size) continue;
      throw new ShapeError(
        `MultiheadAttention: ${name} must be [N, T, ${size}], but is [${x.shape.join(", ")}].`,
      );
    }
  }

  /** [N, T, heads, 3 · D] in one product: the weight's columns are put in the order of the heads. */
  #packed(x: Tensor): Tensor {
    const { features, heads } = this;
    const [width, [n, t]] = [features / heads, x.shape as [number, number, number]];
    const byHead = (weight: Tensor, rows: number): Tensor =>
      weight
        .reshape([rows, 3, heads, width])
        .permute([0, 2, 1, 3])
        .reshape([rows, 3 * features]);
    const weight = castLike(byHead(this.inProjWeight!, features), x);
    const bias = this.inProjBias && byHead(this.inProjBias, 1).reshape([3 * features]);
    return linear(x, weight, bias).reshape([n, t, heads, 3 * width]);
  }

  /** Queries, keys and values, [N, T or S, heads, D] each. */
  #projections(...inputs: [query: Tensor, key: Tensor, value: Tensor]): Tensor[] {
    const { features, heads, inProjWeight } = this;
    const biases = this.inProjBias ? split(this.inProjBias, features) : [];
    const byHead = (x: Tensor): Tensor => x.reshape([x.shape[0]!, x.shape[1]!, heads, features / heads]);
    const [query, key, value] = inputs;
    if (inProjWeight && query === key && key === value) {
      const all = linear(query, castLike(inProjWeight, query), this.inProjBias);
      return split(all, features, -1).map(byHead);
    }
    const weights = inProjWeight
      ? split(inProjWeight, features, 1)
      : [this.qProjWeight!, this.kProjWeight!, this.vProjWeight!];
    return inputs.map((x, k) => byHead(linear(x, castLike(weights[k]!, x), biases[k])));
  }

  #attend(projections: readonly Tensor[], options: AttendOptions, drops: boolean): Tensor {
    const [query, key, value] = projections as [Tensor, Tensor, Tensor];
    return drops ? this.#withDropout(query, key, value, options) : attention(query, key, value, options);
  }

  /** The same with the weights kept, since some of them are dropped. */
  #withDropout(query: Tensor, key: Tensor, value: Tensor, { mask, causal }: AttendOptions): Tensor {
    const heads = (x: Tensor): Tensor => x.cast("f32").permute([0, 2, 1, 3]); // [N, heads, T, D]
    const scale = 1 / Math.sqrt(query.shape[3]!);
    let scores = matmul(heads(query), heads(key), { transposeB: true }).mul(scale);
    if (mask) scores = isBool(mask) ? where(mask, scores, -Infinity) : scores.add(mask.cast("f32"));
    if (causal) {
      const [t, s] = [query.shape[1]!, key.shape[1]!];
      scores = where(arange(t).reshape([t, 1]).greaterEqual(arange(s)), scores, -Infinity);
    }
    const weights = this.dropout.forward(softmax(scores));
    return matmul(weights, heads(value)).permute([0, 2, 1, 3]).cast(query.dtype);
  }
}

const isBool = (mask: Tensor | Tensor<"bool">): mask is Tensor<"bool"> => (mask.dtype as string) === "bool";
