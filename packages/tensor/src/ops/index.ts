export * from "./activations.ts";
export * from "./adaptivePool.ts";
export * from "./anyAll.ts";
export * from "./argmax.ts";
export * from "./attention.ts";
export * from "./batchNorm.ts";
export * from "./concat.ts";
export * from "./conv1d.ts";
export { type Conv2dOptions, conv2d } from "./conv2d.ts";
export * from "./convTranspose2d.ts";
export * from "./copy.ts";
export * from "./cosineDistance.ts";
export * from "./cumprod.ts";
export * from "./cumsum.ts";
export * from "./detach.ts";
export * from "./diffusion.ts";
export { einsum } from "./einsum.ts";
export * from "./elementwise.ts";
export * from "./flip.ts";
export { gather, type IndexTensor } from "./gather.ts";
export * from "./gaussianBlur.ts";
export * from "./gridSample.ts";
export * from "./groupNorm.ts";
export { type IndexEntry, index } from "./indexing.ts";
export * from "./instanceNorm.ts";
export * from "./layerNorm.ts";
export * from "./localResponseNorm.ts";
export * from "./logSumExp.ts";
export * from "./matmul.ts";
export * from "./max.ts";
export * from "./mean.ts";
export * from "./norm.ts";
export * from "./oneHot.ts";
export { type PadOptions, pad } from "./pad.ts";
export * from "./permute.ts";
export * from "./pixelShuffle.ts";
export {
  type AveragePoolOptions,
  averagePool,
  type MaxPoolOptions,
  maxPool,
  type PoolOptions,
} from "./pool.ts";
export * from "./prod.ts";
export * from "./random.ts";
export * from "./resample.ts";
export * from "./reshape.ts";
export * from "./resizeBilinear.ts";
export * from "./rmsNorm.ts";
export * from "./roll.ts";
export { type ScatterOptions, scatter, takeAlong } from "./scatter.ts";
export type { PaddingOption, PerSide } from "./sides.ts";
export { type PerAxis, slice } from "./slice.ts";
export * from "./softmax.ts";
export * from "./sort.ts";
export * from "./split.ts";
export { broadcastTo, type ReduceOptions, type Summed, type SumOptions, sum } from "./sum.ts";
export * from "./tile.ts";
export * from "./topK.ts";
export * from "./triangle.ts";
export { type UpsampleOptions, upsample } from "./upsample.ts";
export * from "./variance.ts";
