/** The division of a run's images on disk. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DataError, type SplitRecord } from "@ddad/ddad/internal";
import * as z from "zod";
import { writeWhole } from "../files.ts";

/** File in the folder of a run. */
export const splitFile = "split.json";

const ids = z.array(z.string());
const schema = z.strictObject({
  dataset: z.string(),
  seed: z.int(),
  fraction: z.number(),
  train: ids,
  heldOut: ids,
  test: ids,
});

/** Writes the division into the folder of a run; a file is there whole or not at all. */
export function writeSplit(folder: string, record: SplitRecord): void {
  writeWhole(join(folder, splitFile), `${JSON.stringify(record, undefined, 2)}\n`);
}

/** The division recorded in the folder of a run; undefined where there is none. @throws DataError when it is damaged. */
export function readSplit(folder: string): SplitRecord | undefined {
  const path = join(folder, splitFile);
  if (!existsSync(path)) return undefined;
  try {
    return schema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    throw new DataError(
      `${path} is damaged, so nothing says which images the run was trained on; restore it from a copy, ` +
        "or remove it to divide the images by their hashes again.",
      { cause },
    );
  }
}
