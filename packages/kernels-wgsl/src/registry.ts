/** The kernels of the library: one export line each. `kernels` is what tests, benchmarks and docs loop over. */

import { attention } from "./attention/attention.ts";
import { attentionGradient } from "./attention/attentionGradient.ts";
import { conv2d } from "./conv2d/conv2d.ts";
import { conv2dInputGradient } from "./conv2d/conv2dInputGradient.ts";
import { conv2dWeightGradient } from "./conv2d/conv2dWeightGradient.ts";
import { addNoise } from "./diffusion/addNoise.ts";
import { guidedStep } from "./diffusion/guidedStep.ts";
import { cosineDistance } from "./distance/cosineDistance.ts";
import { cosineDistanceGradient } from "./distance/cosineDistanceGradient.ts";
import { elementwise } from "./elementwise/elementwise.ts";
import type { Kernel } from "./kernel.ts";
import { matmul } from "./matmul/matmul.ts";
import { broadcast } from "./movement/broadcast.ts";
import { concat } from "./movement/concat.ts";
import { copy } from "./movement/copy.ts";
import { gather } from "./movement/gather.ts";
import { pad } from "./movement/pad.ts";
import { permute } from "./movement/permute.ts";
import { scatterAdd } from "./movement/scatterAdd.ts";
import { slice } from "./movement/slice.ts";
import { batchNorm } from "./norm/batchNorm.ts";
import { batchNormGradient } from "./norm/batchNormGradient.ts";
import { groupNorm } from "./norm/groupNorm.ts";
import { groupNormGradient } from "./norm/groupNormGradient.ts";
import { adamAverageStep, adamStep } from "./optim/adam.ts";
import { sgdStep } from "./optim/sgdStep.ts";
import { sumOfSquares } from "./optim/sumOfSquares.ts";
import { randomInteger } from "./random/randomInteger.ts";
import { randomNormal } from "./random/randomNormal.ts";
import { randomUniform } from "./random/randomUniform.ts";
import { max, min } from "./reduce/max.ts";
import { softmax } from "./reduce/softmax.ts";
import { softmaxGradient } from "./reduce/softmaxGradient.ts";
import { sum } from "./reduce/sum.ts";
import { averagePool } from "./resample/averagePool.ts";
import { averagePool2 } from "./resample/averagePool2.ts";
import { averagePoolGradient } from "./resample/averagePoolGradient.ts";
import { gaussianBlur } from "./resample/gaussianBlur.ts";
import { gaussianBlurGradient } from "./resample/gaussianBlurGradient.ts";
import { maxPool } from "./resample/maxPool.ts";
import { maxPoolGradient } from "./resample/maxPoolGradient.ts";
import { resizeBilinear } from "./resample/resizeBilinear.ts";
import { resizeBilinearGradient } from "./resample/resizeBilinearGradient.ts";
import { upsampleNearest2 } from "./resample/upsampleNearest2.ts";

export { attention } from "./attention/attention.ts";
export { attentionGradient } from "./attention/attentionGradient.ts";
export type { AttentionAttrs } from "./attention/shared.ts";
export * from "./conv2d/conv2d.ts";
export * from "./conv2d/conv2dInputGradient.ts";
export * from "./conv2d/conv2dWeightGradient.ts";
export * from "./diffusion/addNoise.ts";
export * from "./diffusion/guidedStep.ts";
export { cosineDistance } from "./distance/cosineDistance.ts";
export { cosineDistanceGradient } from "./distance/cosineDistanceGradient.ts";
export type { CosineDistanceAttrs } from "./distance/pairs.ts";
export * from "./elementwise/broadcast.ts";
export * from "./elementwise/elementwise.ts";
export * from "./elementwise/expression.ts";
export * from "./elementwise/table.ts";
export * from "./matmul/matmul.ts";
export * from "./movement/broadcast.ts";
export * from "./movement/concat.ts";
export * from "./movement/copy.ts";
export * from "./movement/gather.ts";
export * from "./movement/pad.ts";
export * from "./movement/permute.ts";
export * from "./movement/scatterAdd.ts";
export * from "./movement/slice.ts";
export { type BatchNormAttrs, batchNorm } from "./norm/batchNorm.ts";
export { batchNormGradient } from "./norm/batchNormGradient.ts";
export { type GroupNormAttrs, groupNorm } from "./norm/groupNorm.ts";
export { groupNormGradient } from "./norm/groupNormGradient.ts";
export * from "./optim/adam.ts";
export * from "./optim/sgdStep.ts";
export * from "./optim/sumOfSquares.ts";
export * from "./random/randomInteger.ts";
export * from "./random/randomNormal.ts";
export * from "./random/randomUniform.ts";
export { type MaxAttrs, max, min } from "./reduce/max.ts";
export { softmax } from "./reduce/softmax.ts";
export { softmaxGradient } from "./reduce/softmaxGradient.ts";
export * from "./reduce/sum.ts";
export * from "./resample/averagePool.ts";
export * from "./resample/averagePool2.ts";
export * from "./resample/averagePoolGradient.ts";
export * from "./resample/gaussianBlur.ts";
export * from "./resample/gaussianBlurGradient.ts";
export * from "./resample/maxPool.ts";
export * from "./resample/maxPoolGradient.ts";
export * from "./resample/resizeBilinear.ts";
export * from "./resample/resizeBilinearGradient.ts";
export * from "./resample/upsampleNearest2.ts";

export const kernels: readonly Kernel[] = [
  conv2d,
  conv2dInputGradient,
  conv2dWeightGradient,
  matmul,
  elementwise,
  sum,
  groupNorm,
  groupNormGradient,
  batchNorm,
  batchNormGradient,
  softmax,
  softmaxGradient,
  max,
  min,
  cosineDistance,
  cosineDistanceGradient,
  attention,
  attentionGradient,
  broadcast,
  concat,
  copy,
  gather,
  pad,
  permute,
  scatterAdd,
  slice,
  averagePool,
  averagePool2,
  averagePoolGradient,
  gaussianBlur,
  gaussianBlurGradient,
  maxPool,
  maxPoolGradient,
  resizeBilinear,
  resizeBilinearGradient,
  upsampleNearest2,
  randomInteger,
  randomNormal,
  randomUniform,
  addNoise,
  guidedStep,
  adamAverageStep,
  adamStep,
  sgdStep,
  sumOfSquares,
];
