/** The precision-recall curve: what fraction of the alarms is right, and what fraction of the defects is found. */
import { type Labels, rocCurve, type Scores } from "./curves.ts";

/** What a threshold finds, and how much of it is right; both in [0, 1]. */
export type PrecisionRecallPoint = { threshold: number; recall: number; precision: number };

/**
 * One point for every distinct score, thresholds falling. `averagePrecision` is the area under the steps through them: at
 * each recall the precision of the point that reaches it.
 *
 * @throws RangeError as `auroc`.
 */
export function precisionRecallCurve(labels: Labels, scores: Scores): PrecisionRecallPoint[] {
  const positives = Array.from(labels).filter(Boolean).length;
  const negatives = labels.length - positives;
  // Above the highest score nothing is called defective, and there is no precision.
  return rocCurve(labels, scores)
    .slice(1)
    .map(({ threshold, falsePositiveRate, truePositiveRate }) => {
      const hits = Math.round(truePositiveRate * positives);
      const alarms = Math.round(falsePositiveRate * negatives);
      return { threshold, recall: hits / positives, precision: hits / (hits + alarms) };
    });
}
