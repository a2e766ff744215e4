/** Images of another size. */
import type { Operators } from "../call.ts";

export const resizing: Operators = {};
