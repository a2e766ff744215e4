/** Residual networks for images: the feature extractor. */
import { maxPool, ShapeError, type Tensor, UsageError } from "@ddad/tensor";
import { checkTensor } from "@ddad/tensor/internal";
import { checkKind } from "../../arguments.ts";
import { HostRandom } from "../../hostRandom.ts";
import { allZeros, defaultRandom } from "../../init.ts";
import type { Conv2d } from "../../layers/conv2d.ts";
import { Linear } from "../../layers/linear.ts";
import { Module } from "../../module.ts";
import { checkStateDict, type StateEntry } from "../../stateDict.ts";
import { PostActivationBlock, PreactivationBlock, PreactivationNorm, type ResNetBlock } from "./block.ts";
import {
  type FeatureName,
  hasNormBehind,
  planResNet,
  type ResNetOptions,
  type ResNetPlan,
} from "./options.ts";
import { type Norm, Parts } from "./parts.ts";
import { type PretrainedReport, selectPretrained } from "./pretrained.ts";

type Stage = readonly ResNetBlock[] | readonly [PreactivationNorm];

/**
 * He et al., "Deep residual learning for image recognition" (CVPR 2016), and its pre-activation form (ECCV 2016).
 * State-dict keys and initial weights are torchvision's.
 */
export class ResNet extends Module {
  /** What it was made with. */
  readonly options: ResNetOptions;
  /** Over the input; pre-activation only. */
  readonly bnData: Norm | undefined;
  /** The first convolution, 7×7 with stride 2. */
  readonly conv1: Conv2d;
  /** Behind the first convolution. */
  readonly bn1: Norm | undefined;
  /** Blocks of the first stage, at 1/4 of the image's size; undefined where the network ends before. */
  readonly layer1: Stage | undefined;
  /** The same at 1/8. */
  readonly layer2: Stage | undefined;
  /** The same at 1/16. */
  readonly layer3: Stage | undefined;
  /** The same at 1/32. */
  readonly layer4: Stage | undefined;
  /** Behind the last stage; pre-activation only. */
  readonly bnLast: Norm | undefined;
  /** From the pooled features to the logits; undefined without `numClasses`. */
  readonly fc: Linear | undefined;
  readonly #plan: ResNetPlan;
  readonly #parts: Parts;
  readonly #stages: readonly (readonly ResNetBlock[])[];
  /** Pre-activation only: the norm behind the last stage, by whatever name. */
  readonly #normBehind: Norm | undefined;

  /** @throws RangeError for options that do not fit together */
  constructor(options: ResNetOptions) {
    super();
    const plan = planResNet(options);
    const { style, stem, numClasses } = plan;
    const { foldedBatchNorm = false, init = "random", seed } = options;
    const random = seed === undefined ? defaultRandom() : new HostRandom(seed);
    const parts = new Parts({ foldedBatchNorm, init, random });
    this.options = options;
    this.bnData = style === "preactivation" ? parts.norm(stem.inputs) : undefined;
    ({ convolution: this.conv1, norm: this.bn1 } = parts.normedConvolution(stem));
    const Block = style === "preactivation" ? PreactivationBlock : PostActivationBlock;
    const stages = plan.stages.map((blocks) => blocks.map((block) => new Block(block, parts)));
    const behind =
      style === "preactivation" && hasNormBehind(plan) ? parts.norm(plan.channels.at(-1)!) : undefined;
    const started: Stage[] = behind && plan.truncated ? [[new PreactivationNorm(behind)]] : [];
    [this.layer1, this.layer2, this.layer3, this.layer4] = [...stages, ...started];
    this.bnLast = plan.truncated ? undefined : behind;
    if (numClasses !== undefined) {
      const zeros = init === "zeros" ? { init: allZeros, initBias: allZeros } : {};
      this.fc = new Linear(plan.channels.at(-1)!, numClasses, { ...zeros, random });
    }
    this.#plan = plan;
    this.#parts = parts;
    this.#stages = stages;
    this.#normBehind = behind;
  }

  /** The layers in the order in which they were made: what `foldBatchNorm` goes through. */
  get parts(): Parts {
    return this.#parts;
  }

  /** Channels of each feature that can be asked for. */
  get featureChannels(): Readonly<Partial<Record<FeatureName, number>>> {
    return Object.fromEntries(this.#plan.channels.map((channels, stage) => [nameOf(stage), channels]));
  }

  /**
   * The outputs of stages, ReLU included; of a pre-activation network `layer1` as it is, and of later stages what the
   * norm behind them and ReLU make of it. Nothing behind the last stage asked for is run.
   *
   * @param x [N, H, W, inChannels], normalised as the weights want it (`normaliseForImageNet`)
   * @param names which, in any order
   * @returns name → [N, H', W', channels]
   * @throws RangeError for a stage that is not built
   */
  features<N extends FeatureName>(x: Tensor, names: readonly N[]): Record<N, Tensor> {
    checkTensor("ResNet", "x", x);
    checkKind("ResNet", "the features", names, Array.isArray(names), 'an array of names, such as ["layer1"]');
    const wanted = names.map((name) => this.#stageOf(name));
    if (wanted.length === 0) throw new RangeError("ResNet: features needs at least one name, but got none.");
    const found = this.#run(x, Math.max(...wanted));
    return Object.fromEntries(names.map((name, k) => [name, found[wanted[k]!]!])) as Record<N, Tensor>;
  }

  /** x [N, H, W, inChannels] → logits [N, numClasses]. Throws where the network ends at a `lastLayer`. */
  forward(x: Tensor): Tensor {
    if (!this.fc) {
      throw new UsageError(
        `ResNet: this network ends at ${this.options.lastLayer} and has no classifier. Ask for features.`,
      );
    }
    const last = this.#stages.length - 1;
    const feature = this.#run(x, last)[last]!;
    return this.fc.forward((last === 0 ? this.#activatedBehind(feature, 0) : feature).mean([1, 2]));
  }

  /**
   * Loads the part of a state dict that this network has: entries of torchvision's network behind `lastLayer` are left out
   * and reported, batch counters that older files lack are set to 0, everything else must match as `strict` says. As after
   * `loadStateDict`, `evaluate(...net.namedState().values())` moves the values into the network's own buffers.
   *
   * @throws StateDictError that lists every mismatch
   */
  loadPretrained(dict: ReadonlyMap<string, StateEntry>): PretrainedReport {
    checkStateDict("ResNet.loadPretrained", dict);
    const { state, ...report } = selectPretrained(dict, this.namedState(), this.options.lastLayer);
    this.loadStateDict(state);
    return report;
  }

  /** The features of the stages up to number `last`. */
  #run(x: Tensor, last: number): Tensor[] {
    let h = this.#stem(x);
    let activated: Tensor | undefined;
    return this.#stages.slice(0, last + 1).map((blocks, stage) => {
      for (const block of blocks) {
        h = block.forward(h, activated);
        activated = undefined;
      }
      if (stage === 0) return h;
      // The next stage starts from it: made once, so that in training the norm counts a batch once.
      activated = this.#activatedBehind(h, stage);
      return activated;
    });
  }

  #stem(x: Tensor): Tensor {
    checkTensor("ResNet", "x", x);
    const { style, stem } = this.#plan;
    if (x.shape.length !== 4 || x.shape[3] !== stem.inputs) {
      throw new ShapeError(`ResNet: x must be [N, H, W, ${stem.inputs}], but is [${x.shape.join(", ")}].`);
    }
    const convolved = this.conv1.forward(this.bnData?.forward(x) ?? x);
    const activated = (this.bn1?.forward(convolved) ?? convolved).relu();
    return maxPool(activated, {
      kernelSize: 3,
      stride: 2,
      ...(style === "caffe" ? { ceilMode: true } : { padding: 1 }),
    });
  }

  /** Pre-activation: relu(norm(h)) by the norm that follows a stage. Else h itself. */
  #activatedBehind(h: Tensor, stage: number): Tensor {
    const next = this.#stages[stage + 1]?.[0];
    const norm = next instanceof PreactivationBlock ? next.bn1 : this.#normBehind;
    return norm?.forward(h).relu() ?? h;
  }

  #stageOf(name: FeatureName): number {
    const stage = this.#stages.findIndex((_, index) => nameOf(index) === name);
    if (stage >= 0) return stage;
    const built = this.#stages.map((_, index) => nameOf(index)).join(", ");
    throw new RangeError(
      `ResNet: there is no feature ${String(name)}; this network is built with ${built} (see "lastLayer").`,
    );
  }
}

const nameOf = (stage: number): FeatureName => `layer${stage + 1}` as FeatureName;
