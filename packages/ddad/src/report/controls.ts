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
  /** The best control, where the model is not better than it see `bestControl`. */
  readonly notBetter?: ControlComparison;
  /** Brightness, where its image AUROC is at or above the model's. */
  readonly brightness?: ControlComparison;
};

type Compared = Pick<EvaluationResult, "image" | "pixel" | "controls">;

/**
 * The control that a model has to beat: the best by AUPRO up to 0.3 where the model has it, of all controls with maps; else the best by
 * image AUROC, of all controls. The first of equals; undefined where there are no controls.
 */
export function bestControl({ image, pixel, controls = [] }: Compared): ControlComparison | undefined {
  const byPixels = controls.flatMap((control): ControlComparison[] =>
    pixel && control.pixel
      ? [{ control, metric: "AUPRO 0.3", model: pixel.aupro30, value: control.pixel.aupro30 }]
      : [],
  );
  const compared = byPixels.length > 0 ? byPixels : controls.map((control) => compareImages(control, image));
  const [first, ...others] = compared;
  return first && others.reduce((best, other) => (other.value > best.value ? other : best), first);
}

const compareImages = (control: ControlResult, { auroc }: Compared["image"]): ControlComparison => ({
  ...{ control, metric: "image AUROC", model: auroc, value: control.image.auroc },
});

/**
 * Compares a result with its controls. The best control counts, see `bestControl`, and a model that only equals it is not better.
 * Brightness is compared by image AUROC in any case: the score of a model at or below it may follow the brightness.
 */
export function compareControls(result: Compared): ControlFindings {
  const best = bestControl(result);
  const bright = result.controls?.find(({ direction }) => direction !== undefined);
  const brightness = bright && compareImages(bright, result.image);
  const isAtLeast = (comparison: ControlComparison | undefined): comparison is ControlComparison =>
    comparison !== undefined && comparison.value >= comparison.model;
  return {
    ...(isAtLeast(best) && { notBetter: best }),
    ...(isAtLeast(brightness) && { brightness }),
  };
}

/** The findings as sentences; none where the model is better than its controls, or there are none. */
export function describeControls(result: Compared): string[] {
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
