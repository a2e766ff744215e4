/** Which family an export belongs to, by the file that declares it: the table beside this file, in the order of the site. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** @type {readonly { readonly family: string; readonly of: readonly string[] }[]} */
const table = JSON.parse(readFileSync(join(import.meta.dirname, "families.json"), "utf8"));

/** Names of the families in the order of the site. */
export const families = table.map(({ family }) => family);

/**
 * The family of an export. "FILE#NAME NAME" in the table goes before "FILE" or "FOLDER/", a longer path before a shorter one.
 * @param {string} file path from `packages` on, for example "tensor/src/ops/sum.ts"
 * @param {string} name of the export
 * @returns {string | undefined}
 */
export function familyOf(file, name) {
  let best = -1;
  let found;
  for (const { family, of } of table) {
    for (const entry of of) {
      const [path, names] = entry.split("#");
      if (!file.startsWith(path) || (names && !names.split(" ").includes(name))) continue;
      const weight = path.length + (names ? 1000 : 0);
      if (weight > best) [best, found] = [weight, family];
    }
  }
  return found;
}
