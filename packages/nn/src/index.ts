/** Neural networks on WebGPU: modules, layers, losses, optimisers, checkpoints and models, and all of @ddad/tensor. */

// The methods of Tensor come by a side effect. Bundlers keep it only where an index with side effects imports it.
import "@ddad/tensor";

export * from "@ddad/tensor";
export { Checkpoint } from "./checkpoint/checkpoint.ts";
export type { UnreadableTensor } from "./checkpoint/entry.ts";
export type { LeftOut } from "./checkpoint/pytorch/choose.ts";
export { PyTorchCheckpoint, readPyTorch } from "./checkpoint/pytorch/readPyTorch.ts";
export type { OpaqueValue } from "./checkpoint/pytorch/walker.ts";
export { type ReadOptions, readCheckpoint } from "./checkpoint/readCheckpoint.ts";
export { readSafetensors, writeSafetensors } from "./checkpoint/safetensors.ts";
export { type BatchTypes, type Collated, collate, type Shaped } from "./data/collate.ts";
export { DataLoader, type DataLoaderOptions, type Dataset, type Samples } from "./data/dataLoader.ts";
export * from "./errors.ts";
export { HostRandom } from "./hostRandom.ts";
export {
  allOnes,
  allZeros,
  type Fan,
  fanInUniform,
  type Initializer,
  kaimingNormal,
  kaimingUniform,
  normalInit,
  setSeed,
  uniformInit,
  xavierNormal,
  xavierUniform,
} from "./init.ts";
export * from "./layers/activations.ts";
export * from "./layers/batchNorm2d.ts";
export * from "./layers/channelAffine.ts";
export * from "./layers/conv1d.ts";
export * from "./layers/conv2d.ts";
export * from "./layers/convTranspose2d.ts";
export * from "./layers/dropout.ts";
export * from "./layers/embedding.ts";
export * from "./layers/groupNorm.ts";
export * from "./layers/gru.ts";
export * from "./layers/linear.ts";
export * from "./layers/lstm.ts";
export * from "./layers/moduleList.ts";
export * from "./layers/multiheadAttention.ts";
export * from "./layers/norms.ts";
export * from "./layers/pools.ts";
export type { RecurrentOptions } from "./layers/recurrent.ts";
export * from "./layers/resample.ts";
export * from "./layers/sequential.ts";
export * from "./layers/shapes.ts";
export * from "./layers/timeEmbedding.ts";
export * from "./losses/index.ts";
export { foldBatchNorm } from "./models/resnet/fold.ts";
export * from "./models/resnet/imageNet.ts";
export {
  countParameters,
  type FeatureName,
  type ResNetOptions,
  type ResNetStyle,
} from "./models/resnet/options.ts";
export type { PretrainedReport } from "./models/resnet/pretrained.ts";
export { ResNet } from "./models/resnet/resnet.ts";
export * from "./models/resnet/variants.ts";
export * from "./models/unet/attentionBlock.ts";
export type { Precision, UNetOptions } from "./models/unet/options.ts";
export * from "./models/unet/residualBlock.ts";
export * from "./models/unet/unet.ts";
export { Module } from "./module.ts";
export {
  exportOnnx,
  exportResNetOnnx,
  exportUNetOnnx,
  type OnnxExportOptions,
} from "./onnx/exportOnnx.ts";
export {
  compareOnnx,
  type OnnxArray,
  type OnnxArrays,
  type OnnxDifference,
  type OnnxRunner,
  type OnnxRuntime,
  onnxRuntimeRunner,
} from "./onnx/parity.ts";
export {
  type Extent,
  type OnnxSource,
  type ResNetOnnxOptions,
  resNetOnnx,
  type UNetOnnxOptions,
  unetOnnx,
} from "./onnx/source.ts";
export * from "./optim/adagrad.ts";
export * from "./optim/adam.ts";
export { type ClippedNorm, clipGradientNorm } from "./optim/clip.ts";
export * from "./optim/ema.ts";
export * from "./optim/lossScale.ts";
export * from "./optim/optimizer.ts";
export type { ParameterSource } from "./optim/parameterSource.ts";
export * from "./optim/rmsprop.ts";
export * from "./optim/schedules.ts";
export { SGD, type SGDOptions } from "./optim/sgd.ts";
export { Parameter, type ParameterOptions, parameter, toF16 } from "./parameter.ts";
export { rand, randn } from "./random.ts";
export type { LoadReport } from "./state.ts";
export type { Layout, StateData, StateDict, StateEntry, StateType } from "./stateDict.ts";
