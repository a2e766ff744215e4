/** Window functions, Fourier transforms as products with matrices, and the mel filter bank. */
import type { Tensor } from "@ddad/nn";
import type { Operator, Operators } from "../call.ts";
import { nn } from "../counted.ts";

/** A sum of cosines over the length, periodic or symmetric. */
const window =
  (...coefficients: readonly number[]): Operator =>
  async (call) => {
    const length = (await call.number(0))!;
    const steps = call.int("periodic", 1) === 1 ? length : length - 1;
    const phase = nn.mul(nn.arange(length), (2 * Math.PI) / steps);
    return coefficients
      .map((coefficient, k) =>
        k === 0 ? nn.full([length], coefficient) : nn.mul(nn.cos(nn.mul(phase, k)), coefficient),
      )
      .reduce((a, b) => nn.add(a, b));
  };

/** cos and sin of 2π j k / n as [n, bins]. */
function circle(n: number, bins: number, inverse: boolean): { cos: Tensor; sin: Tensor } {
  const table = (f: (angle: number) => number): Tensor =>
    nn.tensor(
      Array.from({ length: n * bins }, (_, at) => {
        // The product modulo n keeps angles small and exact.
        const turn = (Math.floor(at / bins) * (at % bins)) % n;
        return f((2 * Math.PI * turn) / n) / (inverse ? n : 1);
      }),
      [n, bins],
    );
  return { cos: table(Math.cos), sin: table((angle) => (inverse ? 1 : -1) * Math.sin(angle)) };
}

/** The transform of complex numbers along the last axis, real and imaginary parts apart; the latter may be absent. */
function transform(
  real: Tensor,
  imaginary: Tensor | undefined,
  bins: number,
  inverse = false,
): { real: Tensor; imaginary: Tensor } {
  const { cos, sin } = circle(real.shape.at(-1)!, bins, inverse);
  const of = { real: nn.matmul(real, cos), imaginary: nn.matmul(real, sin) };
  if (!imaginary) return of;
  return {
    real: nn.sub(of.real, nn.matmul(imaginary, sin)),
    imaginary: nn.add(of.imaginary, nn.matmul(imaginary, cos)),
  };
}

const stacked = ({ real, imaginary }: { real: Tensor; imaginary: Tensor }): Tensor =>
  nn.concat([nn.reshape(real, [...real.shape, 1]), nn.reshape(imaginary, [...imaginary.shape, 1])], -1);

export const signal: Operators = {
  BlackmanWindow: window(0.42, -0.5, 0.08),
  HammingWindow: window(25 / 46, -21 / 46),
  HannWindow: window(0.5, -0.5),

  DFT: (call) => {
    const axis = call.axis(call.int("axis", 1));
    const parts = call.shape().at(-1)!;
    if (call.values.length > 1 || call.int("onesided", 0)) call.notExpressible("padded or one-sided DFT");
    const order = call
      .shape()
      .map((_, k) => k)
      .slice(0, -1)
      .filter((k) => k !== axis);
    const moved = [call.rank - 1, ...order, axis];
    const x = nn.permute(call.x(), moved);
    const rest = x.shape.slice(1);
    const [real, imaginary] = nn.split(x, 1, 0).map((part) => nn.reshape(part, rest)) as [Tensor, Tensor?];
    const y = stacked(
      transform(real, parts === 2 ? imaginary : undefined, rest.at(-1)!, call.int("inverse", 0) === 1),
    );
    // [other axes, axis, part] → the axis at its place.
    const back = [...order, axis, call.rank - 1];
    return nn.permute(
      y,
      back.map((_, k) => back.indexOf(k)),
    );
  },

  STFT: async (call) => {
    const step = (await call.number(1))!;
    const window = call.maybe(2);
    const length = (await call.number(3)) ?? window!.size;
    const [batch, samples] = call.shape() as [number, number, number];
    const frames = Math.floor((samples - length) / step) + 1;
    const index = nn.tensor(
      Array.from({ length: frames * length }, (_, at) => Math.floor(at / length) * step + (at % length)),
      [frames, length],
      { dtype: "i32" },
    );
    const framed = nn.gather(nn.reshape(call.x(), [batch, samples]), index, 1);
    const bins = call.int("onesided", 1) ? Math.floor(length / 2) + 1 : length;
    return stacked(transform(window ? nn.mul(framed, window) : framed, undefined, bins));
  },

  MelWeightMatrix: (call) => call.notExpressible("a mel filter bank"),
};
