/** Normalisations of activations. */
import type { Tensor } from "@ddad/nn";
import type { Operators } from "../call.ts";
import { nn } from "../counted.ts";
import { channelsFirst, channelsLast } from "./layout.ts";

export const normalisation: Operators = {
  InstanceNormalization: (call) =>
    channelsFirst(
      nn.groupNorm(channelsLast(call.x()), {
        groups: call.shape()[1]!,
        weight: call.x(1),
        bias: call.x(2),
        epsilon: call.float("epsilon", 1e-5),
      }),
    ),

  BatchNormalization: (call) => {
    const epsilon = call.float("epsilon", 1e-5);
    const [weight, bias, mean, variance] = [1, 2, 3, 4].map((place) => call.x(place)) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const x = channelsLast(call.x());
    if (call.int("training_mode", 0) === 0) {
      // As the layer does in evaluation mode: scale and shift of each channel.
      const scale = nn.mul(weight, nn.rsqrt(nn.add(variance, epsilon)));
      return channelsFirst(nn.add(nn.mul(x, scale), nn.sub(bias, nn.mul(mean, scale))));
    }
    const momentum = call.float("momentum", 0.9);
    const made = nn.batchNorm(x, { weight, bias, epsilon });
    const running = (before: Tensor, now: Tensor): Tensor =>
      nn.add(nn.mul(before, momentum), nn.mul(now, 1 - momentum));
    return [channelsFirst(made.y), running(mean, made.mean), running(variance, made.variance)];
  },
};
