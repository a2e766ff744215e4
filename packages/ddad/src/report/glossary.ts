/** What the numbers of a report mean, one line each. */

/** A term as tables have it, and its meaning. */
export type Explanation = readonly [term: string, meaning: string];

/** The terms in the order of the tables. */
export const glossary: readonly Explanation[] = [
  [
    "AUROC",
    "chance that a defective image (or pixel) scores higher than a good one; 50 is guessing, 100 perfect",
  ],
  ["AP", "average precision: fraction of alarms that are right, in the mean over all thresholds"],
  [
    "F1-max",
    "best balance of found defects and right alarms that any threshold gives on these images; a calibrated one gives less",
  ],
  [
    "AUPRO 0.3, 0.05",
    "how much of each defect the map marks, in the mean over thresholds that mark at most 30 % or 5 % of the good pixels",
  ],
  ["threshold", "score from which on an image is called defective"],
  ["found", "fraction of the defective images that are called defective"],
  ["false alarms", "fraction of the good images that are called defective"],
  ["promised", "false alarms that the threshold was made for, by the good images of the calibration"],
  [
    "control",
    "a score without a network, for comparison: brightness (mean grey value, in the better of its two directions on these test images), " +
      "blur residual (difference from the blurred image), mean image (difference from the mean of the good training images, divided by " +
      "the standard deviation there), nearest good image (difference from the training image with the most similar pixels)",
  ],
];

/** How the intervals are made. @param level fraction that they cover */
export const intervalNote = (level: number): string =>
  `Intervals of ${Number((100 * level).toFixed(4))} %: Clopper-Pearson for found and false alarms, bootstrap over images for the ` +
  "metrics; where each resample gives 100, Newcombe's for the AUROC and none for the others.";
