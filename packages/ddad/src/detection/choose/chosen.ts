/** What a calibration says of settings that were chosen without labels. */
import * as z from "zod";
import { configSchema } from "../../config/schema.ts";

const { sampling, detection } = configSchema.shape;
const unit = z.number().min(0).max(1);

/** A setting that was tried, and what it reached on synthetic defects: areas in [0, 1], the mean of both folds. */
export const choiceRowSchema = z.strictObject({
  /** Of DDAD. */
  sampling: sampling.optional(),
  /** Where features are compared. */
  comparison: z
    .strictObject({
      distance: detection.shape.distance,
      layers: detection.shape.layers.unwrap(),
      pixelWeight: detection.shape.pixelWeight,
    })
    .optional(),
  /** Calls of the network that an image takes. */
  calls: z.int().min(0),
  /** The mean of the kinds' AUPRO up to a false-positive rate of 0.3, which decides, and that of each kind. */
  aupro30: unit,
  kinds: z.record(z.string(), unit),
  pixelAuroc: unit,
  imageAuroc: unit,
});

/** A setting that was tried, and what it reached. */
export type ChoiceRow = z.infer<typeof choiceRowSchema>;

/** That settings were chosen, and how. */
export const chosenSchema = z.strictObject({
  on: z.literal("synthetic defects"),
  /** Of the synthetic defects, and of the folds. */
  seed: z.int().min(0),
  /** Held-out good images, and images with a defect that were made of them. */
  images: z.int().min(2),
  defects: z.int().min(1),
  /** The best first. */
  rows: z.array(choiceRowSchema).min(1),
});

/** That settings were chosen, and how. */
export type Chosen = z.infer<typeof chosenSchema>;
