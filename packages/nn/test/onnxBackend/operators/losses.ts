/** Losses of classifiers. ONNX has the classes behind the batch, the library has them last. */
import type { Tensor } from "@ddad/nn";
import type { Call, Operators } from "../call.ts";
import { nn } from "../counted.ts";
import { channelsFirst, channelsLast } from "./layout.ts";

function options(call: Call): { weight?: Tensor; ignoreIndex?: number; reduction: "none" | "mean" | "sum" } {
  const ignored = call.node.attributes.get("ignore_index")?.int;
  const weight = call.maybe(2);
  return {
    ...(weight ? { weight } : {}),
    ...(ignored === undefined ? {} : { ignoreIndex: ignored }),
    reduction: call.text("reduction", "mean") as "none" | "mean" | "sum",
  };
}

export const losses: Operators = {
  NegativeLogLikelihoodLoss: (call) => nn.nllLoss(channelsLast(call.x()), call.index(1), options(call)),

  SoftmaxCrossEntropyLoss: (call) => {
    const logits = channelsLast(call.x());
    const loss = nn.crossEntropy(logits, call.index(1), options(call));
    return [loss, call.wants(1) ? channelsFirst(nn.logSoftmax(logits)) : undefined];
  },
};
