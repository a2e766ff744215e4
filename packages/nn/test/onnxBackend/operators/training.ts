/** Dropout, gradients and optimisers' steps. */
import type { Tensor } from "@ddad/nn";
import type { Call, Operator, Operators } from "../call.ts";
import { nn, together } from "../counted.ts";
import { Outside } from "../outside.ts";

/**
 * An optimiser's operator: R, T, then the parameters, then their gradients, then each kind of state. `step` gives the next values of
 * one parameter, in the same order.
 */
const optimiser =
  (kinds: number, step: (call: Call, rate: Tensor, count: number, ...of: Tensor[]) => Tensor[]): Operator =>
  async (call) => {
    const rate = call.x(0);
    const count = (await call.number(1))!;
    const parameters = (call.values.length - 2) / kinds;
    const next = together(() =>
      Array.from({ length: parameters }, (_, index) => {
        const of = Array.from({ length: kinds }, (__, kind) => call.x(2 + kind * parameters + index));
        return step(call, rate, count, ...of);
      }),
    );
    // Every kind but the gradient is put out.
    return Array.from({ length: kinds - 1 }, (_, kind) => next.map((values) => values[kind]!)).flat();
  };

/** The gradient with L2 regularisation. */
function regular(call: Call, x: Tensor, gradient: Tensor): Tensor {
  const factor = call.float("norm_coefficient", 0);
  return factor ? nn.add(gradient, nn.mul(x, factor)) : gradient;
}

export const training: Operators = {
  Dropout: async (call) => {
    const ratio = (await call.number(1)) ?? call.float("ratio", 0.5);
    if ((await call.number(2)) && ratio !== 0)
      throw new Outside("notApplicable", "random numbers that no other generator repeats");
    return [call.x(), call.wants(1) ? nn.full(call.shape(), 1, { dtype: "bool" }) : undefined];
  },

  Gradient: (call) => {
    const names = call.node.attributes.get("xs")!.texts;
    return nn.grad(
      call.named(call.text("y", "")),
      names.map((name) => call.named(name)),
    );
  },

  Adagrad: optimiser(3, (call, rate, count, x, gradient, squares) => {
    const g = regular(call, x!, gradient!);
    const sum = nn.add(squares!, nn.square(g));
    const decayed = nn.div(rate, 1 + count * call.float("decay_factor", 0));
    const root = nn.add(nn.sqrt(sum), call.float("epsilon", 1e-6));
    return [nn.sub(x!, nn.div(nn.mul(decayed, g), root)), sum];
  }),

  Adam: optimiser(4, (call, rate, count, x, gradient, first, second) => {
    const [alpha, beta] = [call.float("alpha", 0.9), call.float("beta", 0.999)];
    const g = regular(call, x!, gradient!);
    const m = nn.add(nn.mul(first!, alpha), nn.mul(g, 1 - alpha));
    const v = nn.add(nn.mul(second!, beta), nn.mul(nn.square(g), 1 - beta));
    const correction = count > 0 ? Math.sqrt(1 - beta ** count) / (1 - alpha ** count) : 1;
    const root = nn.add(nn.sqrt(v), call.float("epsilon", 1e-6));
    const next = nn.sub(x!, nn.div(nn.mul(nn.mul(rate, correction), m), root));
    return [nn.mul(next, 1 - call.float("norm_coefficient_post", 0)), m, v];
  }),

  Momentum: optimiser(3, (call, rate, count, x, gradient, velocity) => {
    const [alpha, beta] = [call.float("alpha", 0), count > 0 ? call.float("beta", 1) : 1];
    const g = regular(call, x!, gradient!);
    const v = nn.add(nn.mul(velocity!, alpha), beta === 1 ? g : nn.mul(g, beta));
    const step = call.text("mode", "") === "nesterov" ? nn.add(g, nn.mul(v, alpha)) : v;
    return [nn.sub(x!, nn.mul(rate, step)), v];
  }),
};
