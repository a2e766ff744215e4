/**
 * Domain adaptation of the extractor: it learns to see a reconstruction and its target alike, and is held to what it
 * saw before it learnt.
 */
import {
  AdamW,
  compile,
  cosineDistance,
  evaluate,
  type FeatureName,
  foldBatchNorm,
  grad,
  type PlannedBytes,
  planBytes,
  type ResNet,
  type Shape,
  type StateDict,
  type Tensor,
  type TensorSpec,
} from "@ddad/nn";
import { type Extractor, extractFeatures } from "../detection/features.ts";
import { adamControlLength } from "../memory/planned.ts";
import { checkFinite, type Diverging, divergedAt } from "../training/diverged.ts";

/** Stages that are adapted. */
export const adaptedLayers = ["layer1", "layer2", "layer3"] as const satisfies readonly FeatureName[];

/** What one step of an adaptation learns from. */
export type AdaptationPair = {
  /** Reconstructions `[N, H, W, 3]` in [−1, 1]. */
  readonly reconstruction: Tensor;
  /** What they were guided to, the same shape. */
  readonly target: Tensor;
};

/** Options of `adaptationLoss`. */
export type AdaptationLossOptions = {
  /** λ, the weight of what holds the extractor to its copy; 0.1 without it. */
  readonly distillation?: number;
  readonly layers?: readonly FeatureName[];
};

/**
 * L = Σ_j [1 − cos(φ_j(x̂0), φ_j(y))] + λ Σ_j [1 − cos(φ_j(y), φ̄_j(y))] + λ Σ_j [1 − cos(φ_j(x̂0), φ̄_j(x̂0))], the mean over the
 * images of cosines over an image's whole feature map (as in the published code).
 *
 * @param extractor φ, in training mode; its batch norms see the reconstructions first, then the targets
 * @param frozen φ̄, the extractor as it was, in evaluation mode
 * @returns a scalar
 */
export function adaptationLoss(
  extractor: Extractor,
  frozen: Extractor,
  { reconstruction, target }: AdaptationPair,
  { distillation = 0.1, layers = adaptedLayers }: AdaptationLossOptions = {},
): Tensor {
  const now = {
    reconstruction: extractFeatures(extractor, reconstruction, layers),
    target: extractFeatures(extractor, target, layers),
  };
  const before = {
    reconstruction: extractFeatures(frozen, reconstruction, layers),
    target: extractFeatures(frozen, target, layers),
  };
  const distance = (a: Record<string, Tensor>, b: Record<string, Tensor>): Tensor =>
    layers.map((layer) => imageDistance(a[layer]!, b[layer]!)).reduce((sum, term) => sum.add(term));
  const alike = distance(now.reconstruction, now.target);
  const held = distance(now.target, before.target).add(distance(now.reconstruction, before.reconstruction));
  return alike.add(held.mul(distillation));
}

/** 1 − cosine of whole feature maps `[N, h, w, C]`, their mean over the images. */
function imageDistance(a: Tensor, b: Tensor): Tensor {
  const flat = [a.shape[0]!, a.size / a.shape[0]!];
  return cosineDistance(a.reshape(flat), b.reshape(flat)).mean();
}

/** What {@link DomainAdapter} needs to resume as if it had never stopped. */
export type AdaptationState = {
  /** Optimiser steps done. */
  readonly step: number;
  readonly extractor: StateDict;
  readonly optimizer: StateDict;
};

/** How a `DomainAdapter` learns; `distillation` is λ. */
export type DomainAdapterOptions = {
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly distillation: number;
};

/** Adapts an extractor by AdamW, in training mode, as published; exactly resumable. */
export class DomainAdapter {
  /** Changed by every step. */
  readonly extractor: ResNet;
  /** Of the extractor's parameters. */
  readonly optimizer: AdamW;
  /** As it was. */
  readonly frozen: ResNet;
  readonly #options: DomainAdapterOptions;
  readonly #step: (reconstruction: Tensor, target: Tensor, control: Tensor) => Promise<Tensor>;
  readonly #loss: (reconstruction: Tensor, target: Tensor) => Promise<Tensor>;

  private constructor(extractor: ResNet, frozen: ResNet, options: DomainAdapterOptions) {
    const { learningRate, weightDecay } = options;
    this.extractor = extractor;
    this.frozen = frozen;
    this.#options = options;
    this.optimizer = new AdamW(extractor, { learningRate, weightDecay });
    this.#step = compile((reconstruction: Tensor, target: Tensor, control: Tensor) =>
      this.#learn({ reconstruction, target }, control),
    );
    this.#loss = compile((reconstruction: Tensor, target: Tensor) =>
      this.#lossOf({ reconstruction, target }),
    );
  }

  /**
   * @param extractor as it was before any adaptation; it is changed
   * @param state where to resume
   */
  static async create(
    extractor: ResNet,
    options: DomainAdapterOptions,
    state?: AdaptationState,
  ): Promise<DomainAdapter> {
    const adapter = new DomainAdapter(extractor, await foldBatchNorm(extractor), options);
    if (state) {
      extractor.loadStateDict(state.extractor);
      adapter.optimizer.loadStateDict(state.optimizer);
    }
    await evaluate(...extractor.namedState().values(), ...adapter.optimizer.variables);
    return adapter;
  }

  /** Optimiser steps done. */
  get step(): number {
    return this.optimizer.stepCount;
  }

  /** One optimiser step; gives the loss before it. */
  async takeStep({ reconstruction, target }: AdaptationPair): Promise<number> {
    this.extractor.train();
    using control = this.optimizer.control();
    using loss = await this.#step(reconstruction, target, control);
    return this.#finite(await loss.item(), "loss");
  }

  /** The loss of images that are not learnt from, the extractor in evaluation mode. */
  async validate({ reconstruction, target }: AdaptationPair): Promise<number> {
    this.extractor.eval();
    using loss = await this.#loss(reconstruction, target);
    return this.#finite(await loss.item(), "validation loss");
  }

  /** The memory of a step and of a validation with pairs of this shape, `[N, H, W, 3]`; neither compiles nor runs them. */
  plan(shape: Shape): PlannedBytes[] {
    const image: TensorSpec = { shape, dtype: "f32" };
    this.extractor.train();
    const step = planBytes(
      (reconstruction: Tensor, target: Tensor, control: Tensor) =>
        this.#learn({ reconstruction, target }, control),
      [image, image, { shape: [adamControlLength], dtype: "f32" }],
    );
    this.extractor.eval();
    const loss = planBytes(
      (reconstruction: Tensor, target: Tensor) => this.#lossOf({ reconstruction, target }),
      [image, image],
    );
    return [step, loss];
  }

  /** Everything needed to resume. @throws DivergedError where a number of it is not finite */
  async state(): Promise<AdaptationState> {
    const { step } = this;
    const extractor = await this.extractor.stateDict();
    const optimizer = await this.optimizer.stateDict();
    checkFinite(this.#diverging, step, extractor, optimizer);
    return { step, extractor, optimizer };
  }

  /** Frees what is kept for adapting, not the extractor. */
  dispose(): void {
    this.optimizer.dispose();
    this.frozen.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  get #diverging(): Diverging {
    const { learningRate } = this.#options;
    return { what: "The adaptation", setting: "adaptation.learningRate", learningRate };
  }

  #finite(loss: number, what: string): number {
    if (Number.isFinite(loss)) return loss;
    throw divergedAt(this.#diverging, `the ${what} at step ${this.step}`, loss);
  }

  #lossOf(pair: AdaptationPair): Tensor {
    const { distillation } = this.#options;
    return adaptationLoss(this.extractor, this.frozen, pair, { distillation });
  }

  #learn(pair: AdaptationPair, control: Tensor): Tensor {
    const loss = this.#lossOf(pair);
    this.optimizer.step(grad(loss, this.optimizer.parameters), { control });
    return loss;
  }
}
