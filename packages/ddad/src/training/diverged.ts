/** Whether a training still has finite numbers: of those that have not, nothing is saved. */
import type { StateDict, StateType } from "@ddad/nn";
import { DivergedError } from "../errors.ts";

/** What was trained, as the first words of a sentence, and the learning rate of the configuration. */
export type Diverging = {
  readonly what: "Training" | "The adaptation";
  readonly setting: "training.learningRate" | "adaptation.learningRate";
  readonly learningRate: number;
};

/** The error for a training with a loss that is not finite. @param where such as `the loss of step 3` */
export const divergedAt = (
  { what, setting, learningRate }: Diverging,
  where: string,
  loss: number,
): DivergedError =>
  new DivergedError(`${what} diverged: ${where} is ${loss}. Lower ${setting} (${learningRate} in this run).`);

/**
 * Checks arrays before they are saved: a file of NaN would replace the last good one. One pass over values that are on the host already.
 *
 * @param step that gave them
 * @throws DivergedError where a weight, or what an optimiser keeps of it, is not finite
 */
export function checkFinite(
  { what, setting, learningRate }: Diverging,
  step: number,
  ...dicts: readonly (StateDict | undefined)[]
): void {
  for (const dict of dicts) {
    for (const { data, dtype } of dict?.values() ?? []) {
      if (!floats.has(dtype) || isFinite(data as Float32Array)) continue;
      throw new DivergedError(
        `${what} diverged: after step ${step} the weights contain NaN or Infinity, so they are not saved; what was saved before stays. ` +
          `Lower ${setting} (${learningRate} in this run).`,
      );
    }
  }
}

const floats: ReadonlySet<StateType> = new Set<StateType>(["f64", "f32", "f16", "bf16"]);

/** Whether all values are finite: times 0 all others are NaN, which a sum keeps. */
function isFinite(values: Float32Array | Float64Array): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * 0;
  return sum === 0;
}
