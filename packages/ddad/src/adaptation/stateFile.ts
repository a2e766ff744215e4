/** The state of an adaptation as safetensors: `extractor.…` and `optimizer.…`, everything else as texts in the header. */
import { type Checkpoint, CheckpointError, writeSafetensors } from "@ddad/nn";
import { underPrefix, withPrefix } from "@ddad/nn/internal";
import * as z from "zod";
import { readHeaderText } from "../model/header.ts";
import type { AdaptationRunState } from "./adapt.ts";

const headerSchema = z.strictObject({
  step: z.int().min(0),
  best: z.strictObject({ step: z.int(), loss: z.number() }).optional(),
  looksSinceBest: z.int().min(0),
  settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});

/** The file from which an adaptation resumes. */
export function encodeAdaptationState(state: AdaptationRunState): Uint8Array {
  const { step, best, looksSinceBest, settings, extractor, optimizer } = state;
  const arrays = new Map([...withPrefix(extractor, "extractor."), ...withPrefix(optimizer, "optimizer.")]);
  return writeSafetensors(arrays, {
    format: "ddad",
    kind: "adaptation",
    state: JSON.stringify({ step, best, looksSinceBest, settings }),
  });
}

/** Reads the state of an adaptation. Throws CheckpointError where the file holds something else. */
export function decodeAdaptationState(checkpoint: Checkpoint, name = "The checkpoint"): AdaptationRunState {
  const { format, kind } = checkpoint.metadata;
  if (format !== "ddad" || kind !== "adaptation") {
    throw new CheckpointError(`${name} is no state of an adaptation that ddad adapt --resume can resume.`);
  }
  const state = readHeaderText(checkpoint, "state", headerSchema, name);
  return {
    ...state,
    best: state.best,
    extractor: underPrefix(checkpoint, "extractor."),
    optimizer: underPrefix(checkpoint, "optimizer."),
  };
}
