/** Products of matrices. */
import type { Operators } from "../call.ts";
import { nn } from "../counted.ts";

export const matrices: Operators = {
  MatMul: (call) => nn.matmul(call.x(0), call.x(1)),

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
