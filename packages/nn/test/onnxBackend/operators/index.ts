/** Every operator of ONNX that is expressed with the library. */
import type { Operators } from "../call.ts";
import { constants } from "./constants.ts";
import { convolution } from "./convolution.ts";
import { elementwise } from "./elementwise.ts";
import { indexing } from "./indexing.ts";
import { matrices } from "./matrices.ts";
import { movement } from "./movement.ts";
import { normalisation } from "./normalisation.ts";
import { pooling } from "./pooling.ts";
import { reductions } from "./reductions.ts";
import { resizing } from "./resizing.ts";
import { training } from "./training.ts";

export const operators: Operators = {
  ...constants,
  ...convolution,
  ...elementwise,
  ...indexing,
  ...matrices,
  ...movement,
  ...normalisation,
  ...pooling,
  ...reductions,
  ...resizing,
  ...training,
};
