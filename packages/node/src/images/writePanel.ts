/** Reports on disk. */

import { composePanel, type PanelOptions, type PanelTile } from "@ddad/ddad/internal";
import { writeImage } from "./png.ts";

/** Composes rows of tiles and writes them as one PNG, whole or not at all, with its folder. */
export function writePanel(
  path: string,
  rows: readonly (readonly (PanelTile | undefined)[])[],
  options: PanelOptions = {},
): void {
  writeImage(path, composePanel(rows, options));
}
