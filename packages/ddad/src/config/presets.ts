/**
 * Settings by name: `preset: mvtec/screw` in a file, `--preset mvtec/screw` on the command line. A preset stands between the
 * defaults of the protocol and what is given; it never chooses the protocol.
 */

import { type CategorySettings, categories, stepsOfEpochs } from "./categories.ts";
import { defaultsFor, positiveOr } from "./defaults.ts";
import type { Config, ConfigInput } from "./schema.ts";
import { type ConfigRecord, isRecord, mergeConfig } from "./settings.ts";

/** Settings that go by a name. */
export type Preset = {
  readonly name: string;
  /** What it is for, one sentence without a full stop. */
  readonly description: string;
  /** Its settings. @param config what else is set, complete where it is right. */
  settings(config: Config): Omit<ConfigInput, "data"> & { readonly data?: Partial<Config["data"]> };
};

/**
 * What was published for a category, where the protocol has a place for it.
 *
 * - Under paper all of it: w, v, λ, the batches, and the epochs as steps of this many images.
 * - Under strict λ and the batch of the adaptation. The denoiser visits every time step as often as published: as strict trains only
 *   those up to `training.maxTimestep`, that is a fraction of the published steps. How long the extractor is adapted is left to the
 *   rule that looks at held-out images, and no scores are shared among a batch. w and v were chosen for the published sampling and
 *   distance, which strict does not have.
 */
const categoryPreset = (category: CategorySettings): Preset => ({
  name: `${category.dataset}/${category.category}`,
  description: `as published for ${category.category} of ${datasetNames[category.dataset]}`,
  settings: ({ protocol, diffusion, training }) => {
    const { trainingImages: images, epochs, adaptationEpochs, adaptationBatch } = category;
    const steps = stepsOfEpochs({ epochs, images, batchSize: positiveOr(training.batchSize, 32) });
    const adaptation = { batchSize: adaptationBatch, distillation: category.distillation };
    if (protocol !== "paper") {
      const fraction = Math.ceil((steps * (training.maxTimestep + 1)) / diffusion.steps);
      return { training: { steps: positiveOr(fraction, steps) }, adaptation };
    }
    const adaptationSteps = { epochs: adaptationEpochs, images, batchSize: adaptationBatch };
    return {
      training: { steps },
      sampling: { guidance: category.guidance },
      adaptation: { ...adaptation, steps: stepsOfEpochs(adaptationSteps) },
      detection: { pixelWeight: category.pixelWeight, batchSize: category.testBatch },
    };
  },
});

const datasetNames = { mvtec: "MVTec AD", visa: "VisA" } as const;

/**
 * Every preset. The quick one costs 1.57 PFLOP of training and 44 GFLOP an image (`costOf`): 26 minutes and a twentieth of a
 * second where 1 TFLOP/s is sustained, against 76 hours for mvtec/screw under paper. It is chosen by cost, on no test set.
 */
export const presets: readonly Preset[] = [
  {
    name: "quick",
    description: "the small network on 128 pixels for consumer GPUs, and a short training",
    settings: ({ protocol }) => ({
      data: { imageSize: 128 },
      model: { variant: "ddad-s" },
      training: { steps: 3000, checkpointEvery: 500 },
      // Half of the published steps.
      ...(protocol === "paper" && { sampling: { steps: 5 } }),
    }),
  },
  {
    name: "ddad-s",
    description: "the small network of the paper: a quarter of the parameters and of the work",
    settings: () => ({ model: { variant: "ddad-s" } }),
  },
  ...categories.map(categoryPreset),
];

/** The presets of a text like `mvtec/screw+quick`, of which the later ones win; undefined for a name that is none. */
export const presetsNamed = (
  text: string,
): { readonly name: string; readonly preset: Preset | undefined }[] =>
  text.split("+").map((part) => {
    const name = part.trim();
    return { name, preset: presets.find((preset) => preset.name === name.toLowerCase()) };
  });

/** `input` on top of the settings of the presets that it names; names that are none are left for the rules to report. */
export const withPresets = (input: ConfigRecord): ConfigRecord => mergeConfig(presetSettings(input), input);

/** The settings of the presets that `input` names, as they are where all else is as in `input`. */
export function presetSettings(input: ConfigRecord): ConfigRecord {
  const text = input["preset"];
  const named = typeof text === "string" ? presetsNamed(text).flatMap(({ preset }) => preset ?? []) : [];
  const expand = (config: ConfigRecord): ConfigRecord =>
    named.reduce<ConfigRecord>(
      (settings, preset) => mergeConfig(settings, preset.settings(complete(config))),
      {},
    );
  // Once to learn what the presets set, such as the batch, and once more for what hangs on that.
  return expand(mergeConfig(expand(input), input));
}

/** What is given, filled up; sections that are none are left out, to be reported later. */
function complete(given: ConfigRecord): Config {
  const sections = Object.entries(given).filter(([key, value]) => key === "protocol" || isRecord(value));
  return mergeConfig(defaultsFor(given), Object.fromEntries(sections)) as unknown as Config;
}
