/** One call of each operation on small tensors, from which the table of operations learns types and gradients. */
import * as nn from "@ddad/nn";

/** Makes tensors for a call: `x` of the type that is tried, the others of the type that they say. */
export interface Operands {
  readonly x: (...shape: number[]) => nn.Tensor;
  readonly f32: (...shape: number[]) => nn.Tensor;
  readonly bool: (...shape: number[]) => nn.Tensor<"bool">;
  readonly i32: (...shape: number[]) => nn.Tensor<"i32">;
  readonly u32: (...shape: number[]) => nn.Tensor<"u32">;
}

type Results = nn.AnyTensor | nn.Sorted | Readonly<Record<string, nn.AnyTensor>> | readonly nn.AnyTensor[];
type Call = (operands: Operands) => Results;

/** Operations of two tensors of one shape; every other one that is not below takes one tensor. */
export const binary: readonly string[] = [
  ...["add", "sub", "mul", "div", "mod", "fmod", "pow", "atan2", "maximum", "minimum"],
  ...["bitwiseAnd", "bitwiseOr", "bitwiseXor", "shiftLeft", "shiftRight"],
  ...["equal", "notEqual", "less", "lessEqual", "greater", "greaterEqual"],
  ...["logicalAnd", "logicalOr", "logicalXor"],
];

/** Calls of the operations that need more than tensors of the shape [2, 3]. */
export const calls: Readonly<Record<string, Call>> = {
  adaptiveAveragePool: ({ x }) => nn.adaptiveAveragePool(x(1, 4, 4, 2), 2),
  adaptiveMaxPool: ({ x }) => nn.adaptiveMaxPool(x(1, 4, 4, 2), 2),
  addNoise: ({ x, f32 }) => nn.addNoise(x(2, 3), x(2, 3), f32(2)),
  attention: ({ x }) => nn.attention(x(1, 4, 2, 8), x(1, 4, 2, 8), x(1, 4, 2, 8)),
  attentionPacked: ({ x }) => nn.attentionPacked(x(1, 4, 2, 24)),
  averagePool: ({ x }) => nn.averagePool(x(1, 4, 4, 2), { kernelSize: 2 }),
  averagePool2: ({ x }) => nn.averagePool2(x(1, 4, 4, 2)),
  batchNorm: ({ x, f32 }) => nn.batchNorm(x(2, 4, 4, 2), { weight: f32(2), bias: f32(2) }),
  broadcastTo: ({ x }) => nn.broadcastTo(x(1, 3), [2, 3]),
  cast: ({ x }) => nn.cast(x(2, 3), "f32"),
  chunk: ({ x }) => nn.chunk(x(4, 3), 2),
  clamp: ({ x }) => nn.clamp(x(2, 3), 0, 1),
  concat: ({ x }) => nn.concat([x(2, 3), x(2, 3)], 0),
  conv1d: ({ x }) => nn.conv1d(x(1, 5, 2), x(3, 2, 4)),
  conv2d: ({ x }) => nn.conv2d(x(1, 5, 5, 2), x(3, 3, 2, 4)),
  convTranspose2d: ({ x }) => nn.convTranspose2d(x(1, 3, 3, 2), x(2, 2, 4, 2)),
  cosineDistance: ({ x }) => nn.cosineDistance(x(2, 4), x(2, 4)),
  diagonal: ({ x }) => nn.diagonal(x(3, 3)),
  einsum: ({ x }) => nn.einsum("ij,jk->ik", x(2, 3), x(3, 2)),
  flip: ({ x }) => nn.flip(x(2, 3), 0),
  gather: ({ x, i32 }) => nn.gather(x(2, 3), i32(2)),
  gaussianBlur: ({ x }) => nn.gaussianBlur(x(1, 8, 8, 2), { sigma: 1, taps: 5 }),
  globalAveragePool: ({ x }) => nn.globalAveragePool(x(1, 4, 4, 2)),
  globalMaxPool: ({ x }) => nn.globalMaxPool(x(1, 4, 4, 2)),
  gridSample: ({ x, f32 }) => nn.gridSample(x(1, 4, 4, 2), f32(1, 2, 2, 2)),
  groupNorm: ({ x, f32 }) => nn.groupNorm(x(1, 4, 4, 4), { groups: 2, weight: f32(4), bias: f32(4) }),
  guidedStep: ({ x, f32 }) =>
    nn.guidedStep({ x: x(1, 3), epsilon: x(1, 3), target: x(1, 3), coefficients: f32(1, 6) }),
  index: ({ x }) => nn.index(x(2, 3), 0, [1]),
  instanceNorm: ({ x }) => nn.instanceNorm(x(1, 4, 4, 2)),
  layerNorm: ({ x }) => nn.layerNorm(x(2, 8)),
  linear: ({ x }) => nn.linear(x(2, 3), x(3, 4)),
  localResponseNorm: ({ x }) => nn.localResponseNorm(x(1, 2, 2, 8), { size: 3 }),
  matmul: ({ x }) => nn.matmul(x(2, 3), x(3, 4)),
  maxPool: ({ x }) => nn.maxPool(x(1, 4, 4, 2), { kernelSize: 2 }),
  oneHot: ({ x }) => nn.oneHot(x(2) as nn.AnyTensor as nn.IndexTensor, 3),
  pad: ({ x }) => nn.pad(x(2, 3), [0, 1], [0, 1]),
  permute: ({ x }) => nn.permute(x(2, 3), [1, 0]),
  pixelShuffle: ({ x }) => nn.pixelShuffle(x(1, 2, 2, 4), 2),
  pixelUnshuffle: ({ x }) => nn.pixelUnshuffle(x(1, 4, 4, 1), 2),
  prelu: ({ x }) => nn.prelu(x(2, 3), x(3)),
  randomInteger: ({ x }) =>
    nn.randomInteger(x(2, 4) as nn.AnyTensor as nn.Tensor<"u32">, { low: 0, high: 9 }),
  randomNormal: ({ x }) => nn.randomNormal(x(2, 4) as nn.AnyTensor as nn.Tensor<"u32">, [2, 3]),
  randomUniform: ({ x }) => nn.randomUniform(x(2, 4) as nn.AnyTensor as nn.Tensor<"u32">, [2, 3]),
  repeat: ({ x }) => nn.repeat(x(2, 3), 2, 0),
  reshape: ({ x }) => nn.reshape(x(2, 3), [3, 2]),
  resizeBilinear: ({ x }) => nn.resizeBilinear(x(1, 4, 4, 2), [3, 3]),
  rmsNorm: ({ x }) => nn.rmsNorm(x(2, 8)),
  roll: ({ x }) => nn.roll(x(2, 3), 1, 0),
  scatter: ({ x, i32 }) => nn.scatter(x(4, 3), i32(2, 3), x(2, 3), 0),
  slice: ({ x }) => nn.slice(x(2, 3), [0, 1]),
  split: ({ x }) => nn.split(x(4, 3), 2),
  squeeze: ({ x }) => nn.squeeze(x(1, 3)),
  stack: ({ x }) => nn.stack([x(2, 3), x(2, 3)]),
  takeAlong: ({ x, i32 }) => nn.takeAlong(x(4, 3), i32(2, 3), 0),
  threshold: ({ x }) => nn.threshold(x(2, 3), 0, 0),
  tile: ({ x }) => nn.tile(x(2, 3), [2, 1]),
  topK: ({ x }) => nn.topK(x(2, 3), 2),
  transpose: ({ x }) => nn.transpose(x(2, 3)),
  unsqueeze: ({ x }) => nn.unsqueeze(x(2, 3), 0),
  upsample: ({ x }) => nn.upsample(x(1, 4, 4, 2), { scaleFactor: 2 }),
  upsampleNearest2: ({ x }) => nn.upsampleNearest2(x(1, 4, 4, 2)),
  where: ({ x, bool }) => nn.where(bool(2, 3), x(2, 3), x(2, 3)),
};
