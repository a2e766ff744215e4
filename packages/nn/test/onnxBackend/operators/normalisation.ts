/** Normalisations of activations. */
import type { Tensor } from "@ddad/nn";
import type { Call, Operators } from "../call.ts";
import { countUse, nn } from "../counted.ts";
import { channelsFirst, channelsLast } from "./layout.ts";

/** The layer in evaluation mode. */
function evaluated(call: Call, epsilon: number): Tensor {
  const layer = new nn.BatchNorm2d(call.shape()[1]!, { epsilon });
  const { weight, bias, runningMean, runningVariance } = layer;
  [weight, bias, runningMean, runningVariance].forEach((variable, k) => {
    variable.assign(call.x(k + 1));
  });
  countUse("BatchNorm2d");
  return channelsFirst(layer.eval().forward(channelsLast(call.x())));
}

export const normalisation: Operators = {
  BatchNormalization: (call) => {
    const epsilon = call.float("epsilon", 1e-5);
    if (call.int("training_mode", 0) === 0) return evaluated(call, epsilon);
    // ONNX's running variance is the biased one, PyTorch's and the layer's is not.
    const momentum = call.float("momentum", 0.9);
    const { y, mean, variance } = nn.batchNorm(channelsLast(call.x()), {
      weight: call.x(1),
      bias: call.x(2),
      epsilon,
    });
    const running = (before: Tensor, now: Tensor): Tensor =>
      nn.add(nn.mul(before, momentum), nn.mul(now, 1 - momentum));
    return [channelsFirst(y), running(call.x(3), mean), running(call.x(4), variance)];
  },

  InstanceNormalization: (call) =>
    channelsFirst(
      nn.instanceNorm(channelsLast(call.x()), {
        weight: call.x(1),
        bias: call.x(2),
        epsilon: call.float("epsilon", 1e-5),
      }),
    ),

  LayerNormalization: (call) => {
    const first = call.axis(call.int("axis", -1));
    const axes = call
      .shape()
      .map((_, axis) => axis)
      .slice(first);
    const epsilon = call.float("epsilon", 1e-5);
    const y = nn.layerNorm(call.x(), { weight: call.x(1), bias: call.maybe(2), epsilon, axes });
    const keepDims = true;
    const mean = call.wants(1) ? nn.mean(call.x(), axes, { keepDims }) : undefined;
    const inverse = call.wants(2)
      ? nn.rsqrt(nn.add(nn.variance(call.x(), axes, { keepDims, correction: 0 }), epsilon))
      : undefined;
    return [y, mean, inverse];
  },

  MeanVarianceNormalization: (call) =>
    // ONNX adds 1e-9 to the standard deviation.
    nn.layerNorm(call.x(), { axes: call.ints("axes") ?? [0, 2, 3], epsilon: 1e-18 }),

  LRN: (call) =>
    channelsFirst(
      nn.localResponseNorm(channelsLast(call.x()), {
        size: call.int("size", 1),
        alpha: call.float("alpha", 1e-4),
        beta: call.float("beta", 0.75),
        k: call.float("bias", 1),
      }),
    ),
};
