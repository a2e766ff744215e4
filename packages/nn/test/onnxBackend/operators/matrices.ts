/** Products of matrices and determinants. */
import type { Tensor } from "@ddad/nn";
import type { Operators } from "../call.ts";
import { nn } from "../counted.ts";

/** Along the first row, times the determinants of what is left. */
function determinant(x: Tensor): Tensor {
  const size = x.shape.at(-1)!;
  const batch = x.shape.slice(0, -2);
  const whole = batch.map(() => undefined);
  if (size === 1) return nn.reshape(x, batch);
  const terms = Array.from({ length: size }, (_, column) => {
    const factor = nn.reshape(nn.slice(x, [...whole, 0, column], [...whole, 1, column + 1]), batch);
    const below = nn.slice(x, [...whole, 1]);
    const minor = nn.concat(
      [
        nn.slice(below, [...whole, 0, 0], [...whole, size, column]),
        nn.slice(below, [...whole, 0, column + 1]),
      ],
      -1,
    );
    return nn.mul(nn.mul(factor, column % 2 ? -1 : 1), determinant(minor));
  });
  return terms.reduce((a, b) => nn.add(a, b));
}

export const matrices: Operators = {
  MatMul: (call) => nn.matmul(call.x(0), call.x(1)),
  Einsum: (call) => nn.einsum(call.text("equation", ""), ...call.all()),
  Det: (call) => determinant(call.x()),

  Gemm: (call) => {
    const [alpha, beta] = [call.float("alpha", 1), call.float("beta", 1)];
    const options = { transposeA: call.int("transA", 0) === 1, transposeB: call.int("transB", 0) === 1 };
    const [a, b, c] = [call.x(0), call.x(1), beta === 0 ? undefined : call.maybe(2)];
    const columns = b.shape[options.transposeB ? 0 : 1]!;
    // A bias of one row is an operand of the product itself.
    if (c && alpha === 1 && beta === 1 && c.shape.at(-1) === columns && c.size === columns)
      return nn.matmul(a, b, { ...options, bias: nn.reshape(c, [columns]) });
    const y = nn.matmul(a, b, options);
    const scaled = alpha === 1 ? y : nn.mul(y, alpha);
    if (!c) return scaled;
    return nn.add(scaled, beta === 1 ? c : nn.mul(c, beta));
  },
};
