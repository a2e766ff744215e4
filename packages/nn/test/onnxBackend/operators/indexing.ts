/** Operators that pick or place elements by index. */
import type { AnyTensor, Tensor } from "@ddad/nn";
import type { Operators } from "../call.ts";
import { nn } from "../counted.ts";

export const indexing: Operators = {
  Gather: (call) => {
    const axis = call.axis(call.int("axis", 0));
    if (axis !== 0 || call.shape(1).length !== 1)
      call.notExpressible("gather along another axis than the first");
    return nn.gather(call.x(), call.x(1) as AnyTensor as Tensor<"i32">);
  },
};
