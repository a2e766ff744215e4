/** Every operator of ONNX that is expressed with the library. */
import type { Operators } from "../call.ts";
import { constants } from "./constants.ts";
import { convolution } from "./convolution.ts";
import { elementwise } from "./elementwise.ts";
import { indexing } from "./indexing.ts";
import { losses } from "./losses.ts";
import { matrices } from "./matrices.ts";
import { movement } from "./movement.ts";
import { normalisation } from "./normalisation.ts";
import { pooling } from "./pooling.ts";
import { recurrent } from "./recurrent.ts";
import { reductions } from "./reductions.ts";
import { resizing } from "./resizing.ts";
import { signal } from "./signal.ts";
import { training } from "./training.ts";

/** The tables by their subject. */
const tables: Readonly<Record<string, Operators>> = {
  constants,
  convolution,
  elementwise,
  indexing,
  losses,
  matrices,
  movement,
  normalisation,
  pooling,
  recurrent,
  reductions,
  resizing,
  signal,
  training,
};

export const operators: Operators = Object.assign({}, ...Object.values(tables));

/** The table that holds an operator. */
export const tableOf = (operator: string): string =>
  Object.keys(tables).find((name) => tables[name]![operator]) ?? "models of several operators, and others";
