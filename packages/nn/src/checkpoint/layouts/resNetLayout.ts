/** The state dict of torchvision's ResNets, and the ResNet of a state dict. */
import {
  type BlockPlan,
  hasNormBehind,
  planResNet,
  type ResNetOptions,
} from "../../models/resnet/options.ts";
import { type ResNetName, resNetSizes } from "../../models/resnet/variants.ts";
import type { StateEntry } from "../../stateDict.ts";
import { LayoutBuilder, type StateLayout } from "./layout.ts";

/** What `new ResNet(options)` has as its state, in an order of its own; not for folded networks. */
export function resNetLayout(options: ResNetOptions): StateLayout {
  const plan = planResNet(options);
  const { stem, stages, channels, truncated, numClasses } = plan;
  const before = plan.style === "preactivation";
  const builder = new LayoutBuilder();
  if (before) builder.batchNorm("bn_data", stem.inputs);
  builder.weight("conv1", stem.outputs, stem.inputs, stem.kernelSize, stem.kernelSize);
  builder.batchNorm("bn1", stem.outputs);
  for (const [stage, blocks] of stages.entries()) {
    for (const [index, block] of blocks.entries()) {
      addBlock(builder, `layer${stage + 1}.${index}`, block, before);
    }
  }
  const behind = before && hasNormBehind(plan) ? channels.at(-1)! : undefined;
  if (behind !== undefined)
    builder.batchNorm(truncated ? `layer${stages.length + 1}.0.bn1` : "bn_last", behind);
  if (numClasses !== undefined) builder.layer("fc", numClasses, channels.at(-1)!);
  return builder.layout;
}

function addBlock(
  builder: LayoutBuilder,
  name: string,
  { convolutions, downsample }: BlockPlan,
  before: boolean,
): void {
  for (const [index, { inputs, outputs, kernelSize }] of convolutions.entries()) {
    builder.weight(`${name}.conv${index + 1}`, outputs, inputs, kernelSize, kernelSize);
    builder.batchNorm(`${name}.bn${index + 1}`, before ? inputs : outputs);
  }
  if (!downsample) return;
  builder.weight(`${name}.downsample.0`, downsample.outputs, downsample.inputs, 1, 1);
  if (!before) builder.batchNorm(`${name}.downsample.1`, downsample.outputs);
}

/**
 * The options of the ResNet that a state dict is of, or undefined where it is of something else. Where the stride is in a
 * bottleneck leaves no trace in shapes: `style` is `torch` where it could be `caffe`.
 */
export function recogniseResNet(dict: ReadonlyMap<string, StateEntry>): ResNetOptions | undefined {
  const shape = (name: string): readonly number[] | undefined => dict.get(`${name}.weight`)?.shape;
  const stem = shape("conv1");
  const first = shape("layer1.0.conv1");
  if (stem?.length !== 4 || first?.length !== 4) return undefined;
  const [baseChannels, inChannels] = stem as [number, number];
  const bottleneck = shape("layer1.0.conv3") !== undefined;
  const layers = [1, 2, 3, 4].map((stage) => {
    let blocks = 0;
    while (shape(`layer${stage}.${blocks}.conv1`)) blocks++;
    return blocks;
  });
  const numClasses = shape("fc")?.[0];
  return {
    block: bottleneck ? "bottleneck" : "basic",
    layers: layers.slice(0, layers.includes(0) ? layers.indexOf(0) : 4),
    ...(bottleneck && { widthPerGroup: (64 * first[0]!) / baseChannels }),
    ...(shape("bn_data") && { style: "preactivation" as const }),
    baseChannels,
    inChannels,
    ...(numClasses !== undefined && { numClasses }),
  };
}

/** torchvision's names of the networks here: `wideResnet50_2` is `wide_resnet50_2` there. */
export const torchvisionNames: ReadonlyMap<string, ResNetName> = new Map(
  (Object.keys(resNetSizes) as ResNetName[]).map((name) => [name.replace("wideR", "wide_r"), name]),
);

/** torchvision's name of the network with these sizes, if it has one. The last stage may lack blocks: features need none of it. */
export function nameResNet(options: ResNetOptions): string | undefined {
  const sizeOf = ({ block, layers, widthPerGroup = 64, style = "torch" }: ResNetOptions): string =>
    [block, ...layers.slice(0, 3), widthPerGroup, style === "preactivation"].join();
  return [...torchvisionNames].find(([, name]) => {
    const sizes: ResNetOptions = resNetSizes[name];
    return sizeOf(sizes) === sizeOf(options) && (options.layers[3] ?? 0) <= sizes.layers[3]!;
  })?.[0];
}
