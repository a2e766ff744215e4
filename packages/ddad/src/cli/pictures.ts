/** Pictures of inspections on disk. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { type Calibration, falseAlarmThreshold } from "../calibration.ts";
import type { Config } from "../config.ts";
import type { ScoreRange } from "../report/overlay.ts";
import type { PanelTile } from "../report/panel.ts";
import { writePanel } from "../report/write.ts";

/**
 * The colour scale of maps: the same for all pictures of a model, with the threshold in its middle. Without a
 * calibration a distance of 1, half the range of a pixel, is the highest colour, and nothing is outlined.
 */
export function mapRange(
  calibration: Calibration | undefined,
  { detection }: Config,
): { range: ScoreRange; pixelThreshold?: number } {
  if (calibration === undefined) return { range: { from: 0, to: 1 } };
  const threshold = falseAlarmThreshold(calibration.scores, detection.falseAlarmRate);
  return { range: { from: threshold / 4, to: threshold * 1.75 }, pixelThreshold: threshold };
}

/** Writes rows of tiles as a PNG, with its folder. */
export function writePicture(path: string, rows: readonly (readonly PanelTile[])[]): void {
  mkdirSync(dirname(path), { recursive: true });
  writePanel(path, rows);
}
