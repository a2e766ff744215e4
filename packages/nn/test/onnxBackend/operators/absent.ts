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
  ["notExpressible", "sizes that depend on the data", "NonMaxSuppression NonZero Unique"],
];

/** Why an operator is in no table. */
export const absent: Readonly<Record<string, Reason>> = Object.fromEntries(
  reasons.flatMap(([kind, reason, operators]) =>
    operators.split(" ").map((operator): [string, Reason] => [operator, [kind, reason]]),
  ),
);

/** Models that cannot be judged, by name. */
export const excluded: Readonly<Record<string, Reason>> = {
  "node/test_adam_multiple": [
    "notApplicable",
    "its data were made with an ε of 0.01 that the node does not state",
  ],
};
