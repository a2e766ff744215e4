/** The folder of an evaluation: what it holds, and how it is emptied before the next one. */
import { existsSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { DataError, readResult, readScores } from "@ddad/ddad/internal";

/** The file for the image of an inspection. A path that does not end in `.png`, as that of a JPEG, gets it added. */
export const inspectionPath = (out: string, id: string): string =>
  join(out, /\.png$/i.test(id) ? id : `${id}.png`);

/** Files of an evaluation beside the images of inspections; what says that it is complete comes first. */
const ownFiles = ["results.json", "scores.json", "overview.png"];

/** @throws DataError where the image of an inspection would take the place of a test image @param paths of the test images */
export function checkEvaluationFolder(out: string, ids: readonly string[], paths: readonly string[]): void {
  const tested = new Set(paths.map((path) => realpathSync(path)));
  const lost = [...ids.map((id) => inspectionPath(out, id)), ...ownFiles.map((name) => join(out, name))]
    .filter((path) => existsSync(path))
    .find((path) => tested.has(realpathSync(path)));
  if (lost === undefined) return;
  throw new DataError(
    `The results of an evaluation would replace the test image ${lost}; choose another folder with --out.`,
  );
}

/**
 * Removes an earlier evaluation from a folder, so that results never lie beside images of another evaluation. Of images only those go
 * that its `scores.json` lists; other files stay.
 */
export function removeEvaluation(out: string): void {
  const inside = resolve(out) + sep;
  const images = listedImages(out).filter((path) => resolve(path).startsWith(inside));
  for (const name of ownFiles) rmSync(join(out, name), { force: true });
  for (const path of images) rmSync(path, { force: true });
}

/** Images that an evaluation wrote, by its files. */
function listedImages(out: string): string[] {
  const [results, scores] = ["results.json", "scores.json"].map((name) => join(out, name));
  if (!existsSync(results!) || !existsSync(scores!)) return [];
  const result = readResult(readFileSync(results!, "utf8"));
  if ("problem" in result) return [];
  const found = readScores(readFileSync(scores!, "utf8"), result.value);
  return "value" in found ? found.value.scores.map(({ id }) => inspectionPath(out, id)) : [];
}
