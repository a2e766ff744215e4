/** Writes a generated data set as PNG files in the layout of MVTec AD. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DataError, generateProcedural, type ProceduralOptions } from "@ddad/ddad/internal";
import { writeImage } from "../images/png.ts";

/**
 * Writes `<folder>/<category>/train/good/000.png` and so on, masks as `ground_truth/<kind>/000_mask.png`.
 *
 * @param folder in which the category's own one is made
 * @param options the name of the category, the image size and how many images there are of each kind
 * @returns the folder of the category
 * @throws DataError when that folder holds something already: MVTec AD has categories of the same names, and images
 *   of an earlier call would mix with those of this one.
 */
export function writeProcedural(folder: string, options: ProceduralOptions): string {
  const root = join(folder, options.category);
  if (existsSync(root) && readdirSync(root).length > 0) {
    throw new DataError(
      `${root} is not empty; remove it, or give another folder for the generated data set.`,
    );
  }
  for (const { split, kind, index, image, mask } of generateProcedural(options)) {
    const name = String(index).padStart(3, "0");
    writeImage(join(root, split, kind, `${name}.png`), image);
    if (mask) writeImage(join(root, "ground_truth", kind, `${name}_mask.png`), mask);
  }
  return root;
}
