/** What was tried when settings were chosen without labels, as a table for people. */
import type { Choice } from "../detection/choose/chooseSettings.ts";
import type { ChoiceRow } from "../detection/choose/chosen.ts";
import { formatTable } from "./results.ts";

/** Rows that are shown: the best ones. */
const shownRows = 12;

/** The best rows, the first of which is taken, and the row of the settings before. */
export function formatChoice({ rows, present, chosen }: Choice): string {
  const shown = rows.slice(0, shownRows);
  const markOf = (row: ChoiceRow): string =>
    [row === rows[0] ? "taken" : "", row === present ? "before" : ""].filter(Boolean).join(", ");
  const listed = shown.includes(present) ? shown : [...shown, present];
  const left = rows.length - listed.length;
  return [
    formatTable(
      ["", ...settingNames, "calls", "AUPRO", "pixel AUROC", "image AUROC"],
      listed.map((row) => [
        markOf(row),
        ...settingsOf(row),
        String(row.calls),
        ...[row.aupro30, row.pixelAuroc, row.imageAuroc].map((area) => (100 * area).toFixed(1)),
      ]),
    ),
    `Percent, on ${chosen.defects} synthetic defects laid on ${chosen.images} held-out good images; no test image was looked at.` +
      (left > 0 ? ` ${left} more rows: --json.` : ""),
  ].join("\n");
}

const settingNames = ["start", "steps", "guidance", "noise", "draws", "distance", "layers", "pixelWeight"];

function settingsOf({ sampling, comparison }: ChoiceRow): string[] {
  const sampled = sampling
    ? [
        String(sampling.start),
        sampling.steps === undefined ? `by ${sampling.stride}` : String(sampling.steps),
        String(sampling.guidance),
        sampling.startNoise ? "yes" : "no",
        String(sampling.draws),
      ]
    : ["–", "–", "–", "–", "–"];
  const compared = comparison
    ? [
        comparison.distance,
        comparison.layers.map((layer) => layer.replace("layer", "")).join(", "),
        String(comparison.pixelWeight),
      ]
    : ["pixels", "–", "–"];
  return [...sampled, ...compared];
}
