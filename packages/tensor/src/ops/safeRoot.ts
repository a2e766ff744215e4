import type { Tensor } from "../tensor.ts";
import { equal, sqrt, where } from "./elementwise.ts";

/** √x whose gradient at 0 is 0, not infinite: what norms and standard deviations need where all is zero. */
export function safeRoot(x: Tensor): Tensor {
  const zero = equal(x, 0);
  return where(zero, 0, sqrt(where(zero, 1, x)));
}
