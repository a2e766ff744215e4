/** Operators of ONNX that are expressed by nothing here, each with the reason. */
import type { Outside } from "../outside.ts";

type Reason = readonly [kind: Outside["kind"], reason: string];

const reasons: readonly (readonly [kind: Outside["kind"], reason: string, operators: string])[] = [
  [
    "notApplicable",
    "sequences and optional values are the host language's",
    "ConcatFromSequence OptionalGetElement OptionalHasElement SequenceAt SequenceConstruct SequenceEmpty SequenceErase " +
      "SequenceInsert SequenceLength SequenceMap SplitToSequence",
  ],
  ["notApplicable", "control flow is the host language's", "If Loop Scan"],
  ["notApplicable", "random numbers that no other generator repeats", "Bernoulli RandomUniformLike"],
  ["notApplicable", "strings", "StringNormalizer TfIdfVectorizer"],
  [
    "notApplicable",
    "quantised arithmetic",
    "ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul QuantizeLinear",
  ],
  ["notExpressible", "sizes that depend on the data", "Compress NonMaxSuppression NonZero Unique"],
  [
    "notExpressible",
    "no operation yet",
    "Acos Acosh Adagrad Adam ArgMax ArgMin Asin Asinh Atan Atanh BitShift BlackmanWindow Ceil Celu Clip Cosh " +
      "CumSum DFT DepthToSpace Det Dropout Einsum Elu GRU GatherElements GatherND Gradient HammingWindow " +
      "HannWindow HardSigmoid HardSwish Hardmax IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu LogSoftmax MaxUnpool " +
      "MeanVarianceNormalization MelWeightMatrix Mod Momentum NegativeLogLikelihoodLoss OneHot PRelu Pad RNN ReduceProd " +
      "ReverseSequence RoiAlign STFT Scatter ScatterElements ScatterND Selu Shrink Sinh Slice SoftmaxCrossEntropyLoss " +
      "Softplus Softsign SpaceToDepth Tan ThresholdedRelu Tile TopK Trilu Upsample",
  ],
];

/** Why an operator is in no table. */
export const absent: Readonly<Record<string, Reason>> = Object.fromEntries(
  reasons.flatMap(([kind, reason, operators]) =>
    operators.split(" ").map((operator): [string, Reason] => [operator, [kind, reason]]),
  ),
);
