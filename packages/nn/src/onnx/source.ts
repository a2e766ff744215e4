/** The source of an export: a module, its inputs and its call. */
import type { Tensor } from "@ddad/tensor";
import { checkOptions } from "@ddad/tensor/internal";
import { checkKind, checkSizes } from "../arguments.ts";
import type { FeatureName } from "../models/resnet/options.ts";
import type { ResNet } from "../models/resnet/resnet.ts";
import type { UNet } from "../models/unet/unet.ts";
import { Module } from "../module.ts";

/** A number, or the size of the batch, which the file leaves open. */
export type Extent = number | "N";

/**
 * One call of a module. Shapes are those of this library, channels last; in the file everything with four axes is NCHW.
 *
 * @example
 * const source = {
 *   name: "classifier", module: net, inputs: { images: ["N", 224, 224, 3] },
 *   forward: ({ images }) => ({ logits: net.forward(images!) }),
 * };
 */
export interface OnnxSource {
  /** Name of the graph. */
  readonly name: string;
  /** Gives the names of weights and nodes. It is called in evaluation mode. */
  readonly module: Module;
  /** f32 tensors, by name. */
  readonly inputs: Readonly<Record<string, readonly Extent[]>>;
  /** Must record the same operations for every batch size. */
  forward(inputs: Readonly<Record<string, Tensor>>): Readonly<Record<string, Tensor>>;
}

/** Throws UsageError unless `source` has all that an export needs. */
export function checkSource(op: string, source: OnnxSource): void {
  const { module, inputs, forward } = Object(source) as Partial<OnnxSource>;
  const isSource =
    module instanceof Module &&
    Object.values(Object(inputs)).every(Array.isArray) &&
    typeof forward === "function";
  checkKind(op, "the source", source, isSource, "{ name, module, inputs, forward }");
}

/** Options of `unetOnnx` and `exportUNetOnnx`. */
export interface UNetOnnxOptions {
  /** Height and width of the images. */
  readonly imageSize: number;
}

/** A denoiser: `x` [N, C, S, S] and the time steps `t` [N] to `noise` [N, C, S, S]. */
export function unetOnnx(unet: UNet, options: UNetOnnxOptions): OnnxSource {
  const { imageSize } = checkOptions("unetOnnx", options, ["imageSize"], "{ imageSize: 64 }");
  checkSizes("unetOnnx", { imageSize });
  checkKind("unetOnnx", "the network", unet, unet instanceof Module && "outConv" in unet, "a UNet");
  const channels = unet.outConv.weight.shape[3]!;
  return {
    name: "denoiser",
    module: unet,
    inputs: { x: ["N", imageSize, imageSize, channels], t: ["N"] },
    forward: ({ x, t }) => ({ noise: unet.forward(x!, t!) }),
  };
}

/** Options of `resNetOnnx` and `exportResNetOnnx`. */
export interface ResNetOnnxOptions {
  /** Height and width of the images. */
  readonly imageSize: number;
  /** Which outputs the file has. Default layer1, layer2 and layer3. */
  readonly features?: readonly FeatureName[];
}

/** An extractor: `x` [N, 3, S, S], normalised as for `features`, to one output a feature. */
export function resNetOnnx(net: ResNet, options: ResNetOnnxOptions): OnnxSource {
  checkOptions("resNetOnnx", options, ["imageSize", "features"], "{ imageSize: 224 }");
  const { imageSize, features = ["layer1", "layer2", "layer3"] } = options;
  checkSizes("resNetOnnx", { imageSize });
  checkKind("resNetOnnx", "the network", net, net instanceof Module && "parts" in net, "a ResNet");
  return {
    name: "extractor",
    module: net,
    inputs: { x: ["N", imageSize, imageSize, net.conv1.weight.shape[2]!] },
    forward: ({ x }) => net.features(x!, features),
  };
}
