/** Options of a ResNet, and the plan of its convolutions. */
import { checkOptions } from "@ddad/tensor/internal";
import { checkKind, checkSizes } from "../../arguments.ts";

/** Stages by torchvision's names. As features they are the stages' outputs, [N, H/4, W/4, …] to [N, H/32, W/32, …]. */
export type FeatureName = "layer1" | "layer2" | "layer3" | "layer4";

/**
 * - `torch`: a bottleneck's stride is in its 3×3 convolution (torchvision's networks).
 * - `caffe`: it is in the first 1×1 convolution, and the stem pools without padding but rounds sizes up. That is the
 *   network of the paper as its authors published it: `pool1` of their prototxt files has kernel_size 3, stride 2 and no
 *   pad, and Caffe's pooling layer computes ⌈(size + 2 pad − kernel) / stride⌉ + 1.
 * - `preactivation`: norm and ReLU come before each convolution (He et al., "Identity mappings in deep residual networks",
 *   ECCV 2016), and a batch norm over the input, `bn_data`, before everything.
 */
export type ResNetStyle = "torch" | "caffe" | "preactivation";

/** Options of `ResNet`. */
export interface ResNetOptions {
  /** `basic`: two 3×3 convolutions; `bottleneck` (default): 1×1, 3×3, 1×1 to four times the channels. */
  readonly block?: "basic" | "bottleneck";
  /** Blocks of each stage; one to four stages. */
  readonly layers: readonly number[];
  /** Default `torch`. */
  readonly style?: ResNetStyle;
  /** Channels of a bottleneck's 3×3 convolution for every 64 of the stage; 128 in the wide networks. Default 64. */
  readonly widthPerGroup?: number;
  /** Channels of the stem and of the first stage; each later stage has twice as many. Default 64. */
  readonly baseChannels?: number;
  /** Channels of the images. Default 3. */
  readonly inChannels?: number;
  /** Outputs of the classifier `fc`. Default 1000. */
  readonly numClasses?: number;
  /** Build nothing behind this stage: features only, no classifier. Default: the whole network. */
  readonly lastLayer?: FeatureName | undefined;
  /** Convolutions with biases in place of batch norms, as `foldBatchNorm` makes it: for inference only. Default false. */
  readonly foldedBatchNorm?: boolean;
  /** `zeros` draws no random weights: for a network that is loaded right afterwards. Default `random`. */
  readonly init?: "random" | "zeros";
  /** Seed of the initial weights; default: the stream that `setSeed` starts. */
  readonly seed?: number | undefined;
}

/** Names of the options that all networks with a name take. */
export const variantOptions = [
  "style",
  "baseChannels",
  "inChannels",
  "numClasses",
  "lastLayer",
  "foldedBatchNorm",
  "init",
  "seed",
] as const;

const optionNames = ["block", "layers", "widthPerGroup", ...variantOptions] as const;

/** A square convolution without a bias, padded so that stride 1 keeps the size. */
export interface ConvolutionPlan {
  readonly inputs: number;
  readonly outputs: number;
  readonly kernelSize: number;
  readonly stride: number;
}

export interface BlockPlan {
  /** Two or three in a row. */
  readonly convolutions: readonly ConvolutionPlan[];
  /** The 1×1 convolution on the direct path, where sizes or channels change. */
  readonly downsample: ConvolutionPlan | undefined;
}

/** Options with nothing left open. Only what is built is listed. */
export interface ResNetPlan {
  readonly style: ResNetStyle;
  readonly stem: ConvolutionPlan;
  readonly stages: readonly (readonly BlockPlan[])[];
  /** Channels of each stage's output. */
  readonly channels: readonly number[];
  /** Whether the network continues after the last stage listed. */
  readonly truncated: boolean;
  /** Absent in a truncated network. */
  readonly numClasses: number | undefined;
}

/** Fills in the defaults. Throws RangeError with a sentence where the options do not fit together. */
export function planResNet(options: ResNetOptions): ResNetPlan {
  checkOptions("ResNet", options, optionNames, "{ layers: [2, 2, 2, 2] }");
  const { block = "bottleneck", layers, style = "torch", lastLayer } = options;
  const { widthPerGroup = 64, baseChannels = 64, inChannels = 3, numClasses = 1000 } = options;
  checkSizes("ResNet", { widthPerGroup, baseChannels, inChannels, numClasses });
  checkKind("ResNet", "layers", layers, Array.isArray(layers), "one to four whole numbers of blocks");
  if (layers.length < 1 || layers.length > 4 || !layers.every((blocks) => isCount(blocks))) {
    throw new RangeError(
      `ResNet: layers must be one to four whole numbers of blocks, but are [${layers.join(", ")}].`,
    );
  }
  checkKind("ResNet", "block", block, ["basic", "bottleneck"].includes(block), '"basic" or "bottleneck"');
  const styles = ["torch", "caffe", "preactivation"];
  checkKind("ResNet", "style", style, styles.includes(style), '"torch", "caffe" or "preactivation"');
  if (block === "basic" && widthPerGroup !== 64) {
    throw new RangeError(`ResNet: only bottleneck blocks have a widthPerGroup, but it is ${widthPerGroup}.`);
  }
  const built = lastLayer === undefined ? layers.length : Number(/^layer([1-4])$/.exec(lastLayer)?.[1]);
  if (!(built <= layers.length)) {
    throw new RangeError(
      `ResNet: lastLayer is ${lastLayer}, but layers [${layers.join(", ")}] end at layer${layers.length}.`,
    );
  }
  const stages: BlockPlan[][] = [];
  let inputs = baseChannels;
  for (const [stage, blocks] of layers.slice(0, built).entries()) {
    const planes = baseChannels * 2 ** stage;
    const outputs = block === "basic" ? planes : 4 * planes;
    const width = Math.floor((planes * widthPerGroup) / 64);
    const plans: BlockPlan[] = [];
    for (let index = 0; index < blocks; index++) {
      const stride = stage > 0 && index === 0 ? 2 : 1;
      const convolutions =
        block === "basic"
          ? basic(inputs, outputs, stride)
          : bottleneck(inputs, width, outputs, style === "caffe" ? [stride, 1] : [1, stride]);
      const changes = stride !== 1 || inputs !== outputs;
      plans.push({
        convolutions,
        downsample: changes ? { inputs, outputs, kernelSize: 1, stride } : undefined,
      });
      inputs = outputs;
    }
    stages.push(plans);
  }
  return {
    style,
    stem: { inputs: inChannels, outputs: baseChannels, kernelSize: 7, stride: 2 },
    stages,
    channels: stages.map((plans) => plans.at(-1)!.convolutions.at(-1)!.outputs),
    truncated: built < layers.length,
    numClasses: lastLayer === undefined ? numClasses : undefined,
  };
}

const basic = (inputs: number, outputs: number, stride: number): ConvolutionPlan[] => [
  { inputs, outputs, kernelSize: 3, stride },
  { inputs: outputs, outputs, kernelSize: 3, stride: 1 },
];

const bottleneck = (
  inputs: number,
  width: number,
  outputs: number,
  [first, second]: readonly [number, number],
): ConvolutionPlan[] => [
  { inputs, outputs: width, kernelSize: 1, stride: first },
  { inputs: width, outputs: width, kernelSize: 3, stride: second },
  { inputs: width, outputs, kernelSize: 1, stride: 1 },
];

const isCount = (value: number): boolean => Number.isInteger(value) && value >= 1;

/** Channels of every batch norm of a network. */
function normChannels(plan: ResNetPlan): number[] {
  const { style, stem, channels } = plan;
  const blocks = plan.stages.flat();
  if (style !== "preactivation") {
    const convolutions = blocks.flatMap(({ convolutions, downsample }) =>
      downsample ? [...convolutions, downsample] : convolutions,
    );
    return [stem, ...convolutions].map(({ outputs }) => outputs);
  }
  const before = blocks.flatMap(({ convolutions }) => convolutions.map(({ inputs }) => inputs));
  const after = hasNormBehind(plan) ? [channels.at(-1)!] : [];
  return [stem.inputs, stem.outputs, ...before, ...after];
}

/** Whether a pre-activation network has a norm behind its last stage. The feature layer1 does without. */
export const hasNormBehind = ({ stages, numClasses }: ResNetPlan): boolean =>
  stages.length > 1 || numClasses !== undefined;

/** Number of trained values of a network with batch norms (not folded), known without building it. */
export function countParameters(options: ResNetOptions): number {
  const plan = planResNet(options);
  const convolutions = plan.stages
    .flat()
    .flatMap((block) => [...block.convolutions, ...(block.downsample ? [block.downsample] : [])]);
  const weights = [plan.stem, ...convolutions].map(
    ({ inputs, outputs, kernelSize }) => inputs * outputs * kernelSize ** 2,
  );
  const norms = normChannels(plan).map((channels) => 2 * channels);
  const { numClasses } = plan;
  const classifier = numClasses === undefined ? 0 : (plan.channels.at(-1)! + 1) * numClasses;
  return [...weights, ...norms, classifier].reduce((sum, count) => sum + count, 0);
}
