/** Dropout, gradients and optimisers' steps. */
import type { Operators } from "../call.ts";

export const training: Operators = {};
