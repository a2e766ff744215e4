import type { Step } from "../trace.ts";
import type { Translation } from "../translation.ts";

/** Writes the nodes of one step: reads its inputs in the orders that suit, and writes its outputs. */
export type Translator = (translation: Translation, step: Step) => void;
