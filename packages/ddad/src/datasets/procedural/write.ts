/** Writes a generated data set as PNG files in the layout of MVTec AD. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { writeImage } from "../../images/png.ts";
import { generateProcedural, type ProceduralOptions } from "./generate.ts";

/**
 * Writes `<folder>/<category>/train/good/000.png` and so on, masks as `ground_truth/<kind>/000_mask.png`.
 *
 * @returns the folder of the category.
 */
export function writeProcedural(folder: string, options: ProceduralOptions): string {
  const root = join(folder, options.category);
  for (const { split, kind, index, image, mask } of generateProcedural(options)) {
    const name = String(index).padStart(3, "0");
    const images = join(root, split, kind);
    mkdirSync(images, { recursive: true });
    writeImage(join(images, `${name}.png`), image);
    if (mask === undefined) continue;
    const masks = join(root, "ground_truth", kind);
    mkdirSync(masks, { recursive: true });
    writeImage(join(masks, `${name}_mask.png`), mask);
  }
  return root;
}
