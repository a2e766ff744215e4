/** What tells the files of a test set from others, whatever size they are resized to. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Sample } from "@ddad/ddad/internal";
import { isFolder, listFiles } from "./listing.ts";

/** SHA-256, in hexadecimal digits, of ids, labels and kinds, and of the contents of images and masks, in their order. */
export function hashFiles(samples: readonly Sample[]): string {
  const hash = createHash("sha256");
  for (const { id, label, kind, path, maskPath } of samples) {
    hash.update(JSON.stringify([id, label, kind, hashFile(path), ...masksOf(maskPath).map(hashFile)]));
  }
  return hash.digest("hex");
}

/** Ground truth: a file, or all files of a folder. */
function masksOf(path: string | undefined): string[] {
  if (path === undefined || !existsSync(path)) return [];
  return isFolder(path) ? listFiles(path).map((name) => join(path, name)) : [path];
}

/** SHA-256 of a file, in hexadecimal digits. */
export const hashFile = (path: string): string =>
  createHash("sha256").update(readFileSync(path)).digest("hex");
