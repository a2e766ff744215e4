/** Whether a model is better than controls without a network, and how that is said. */
import type { ControlResult, EvaluationResult } from "./results.ts";

/** A metric of a model beside the same of a control, in [0, 1]. */
export type ControlComparison = {
  readonly control: ControlResult;
  readonly metric: "AUPRO 0.3" | "image AUROC";
  readonly model: number;
  readonly value: number;
};

/** What the controls say against a model; empty where it is better. */
export type ControlFindings = {
  /** The best control, where the model is not better than it by the first metric of `compareControls`. */
  readonly notBetter?: ControlComparison;
  /** Brightness, where its image AUROC is at or above the model's. */
  readonly brightness?: ControlComparison;
};

/**
 * Compares a result with its controls. AUPRO up to 0.3 decides where model and controls have it, of all controls with maps; else
 * the image AUROC, of all controls. The best control counts, the first of equals, and a model that only equals it is not better.
 * Brightness is compared by image AUROC in any case: a model at or below it may follow the brightness.
 */
export function compareControls({
  image,
  pixel,
  controls = [],
}: Pick<EvaluationResult, "image" | "pixel" | "controls">): ControlFindings {
  const byImage = (control: ControlResult): ControlComparison => ({
    ...{ control, metric: "image AUROC", model: image.auroc, value: control.image.auroc },
  });
  const byPixels = controls.flatMap((control): ControlComparison[] =>
    pixel && control.pixel
      ? [{ control, metric: "AUPRO 0.3", model: pixel.aupro30, value: control.pixel.aupro30 }]
      : [],
  );
  const compared = byPixels.length > 0 ? byPixels : controls.map(byImage);
  const [first, ...others] = compared;
  const best = first && others.reduce((a, b) => (b.value > a.value ? b : a), first);
  const brightness = controls.filter(({ direction }) => direction !== undefined).map(byImage)[0];
  const isAtLeast = (comparison: ControlComparison | undefined): comparison is ControlComparison =>
    comparison !== undefined && comparison.value >= comparison.model;
  return {
    ...(isAtLeast(best) && { notBetter: best }),
    ...(isAtLeast(brightness) && { brightness }),
  };
}

/** The findings as sentences; none where the model is better than its controls, or there are none. */
export function describeControls(result: Pick<EvaluationResult, "image" | "pixel" | "controls">): string[] {
  const { notBetter, brightness } = compareControls(result);
  const isBrightness = notBetter !== undefined && notBetter.control.direction !== undefined;
  return [
    ...(notBetter
      ? [
          `No better than a control without a network: ${notBetter.metric} of ${percent(notBetter.model)} against ` +
            `${percent(notBetter.value)} of the ${notBetter.control.name}` +
            `${isBrightness ? ` (${directionNote}); the score may follow the brightness` : ""}.`,
        ]
      : []),
    ...(brightness && !isBrightness
      ? [
          `Brightness alone separates the images as well (${directionNote}): image AUROC of ${percent(brightness.value)} ` +
            `against ${percent(brightness.model)} of the model; the score may follow the brightness.`,
        ]
      : []),
  ];
}

const directionNote = "the better of its two directions, chosen on these test images";

const percent = (fraction: number): string => (100 * fraction).toFixed(1);
