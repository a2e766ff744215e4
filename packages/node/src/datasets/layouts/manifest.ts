/**
 * A table that lists images, CSV or JSON lines: `image`, `label`, and where wanted `split`, `mask` and `kind`; other
 * columns are left alone. Paths are relative to the table.
 */
import { existsSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { DataError, isTestImage, type Sample, type Samples } from "@ddad/ddad/internal";
import { extensionOf, isFolder, listed } from "../listing.ts";
import type { Layout } from "./layout.ts";
import { type Row, readTable } from "./table.ts";
import { isDefectiveWord, isGoodWord } from "./words.ts";

const manifestNames = ["manifest.csv", "manifest.jsonl"];

/** Whether a path is one of a table, by its ending. */
export const isManifest = (path: string): boolean =>
  [".csv", ".jsonl", ".ndjson"].includes(extensionOf(path));

const manifestsOf = (folder: string): string[] =>
  isFolder(folder)
    ? manifestNames.map((name) => join(folder, name)).filter((path) => existsSync(path))
    : [folder];

export const manifest: Layout = {
  looks: "manifest.csv or manifest.jsonl, listing image, label, split and mask",
  matches: (folder) => manifestsOf(folder).length > 0,
  read: (folder, { splitSeed = 0 }) => {
    const [path, second] = manifestsOf(folder);
    if (second !== undefined)
      throw new DataError(`${folder} has two manifests; give the path of one as the data set.`);
    return readManifest(path!, splitSeed);
  },
  otherTest: false,
};

function labelOf(text: string): 0 | 1 | undefined {
  if (isGoodWord(text) || ["0", "false"].includes(text.toLowerCase())) return 0;
  if (isDefectiveWord(text) || ["1", "true"].includes(text.toLowerCase())) return 1;
  return undefined;
}

/** Names of the splits in tables, in lower case. */
const splits: { readonly [Split in "train" | "validation" | "test"]: readonly string[] } = {
  train: ["train", "training"],
  validation: ["validation", "val", "valid"],
  test: ["test", "testing"],
};

/**
 * Good images without a split are divided by the hash of their ids, a fifth to test with; defective ones are always
 * tested with.
 */
function readManifest(path: string, seed: number): Samples {
  const folder = dirname(resolve(path));
  const [train, validation, test]: [Sample[], Sample[], Sample[]] = [[], [], []];
  const seen = new Set<string>();
  const [twice, leftOut]: [string[], string[]] = [[], []];
  for (const row of readTable(path, ["image", "label"], ["split", "mask", "kind"])) {
    const sample = sampleOf(row, path, folder);
    if (seen.has(sample.id)) twice.push(sample.id);
    seen.add(sample.id);
    const split = splitOf(row, sample, path, seed);
    if (split === "validation" && sample.label === 1) leftOut.push(sample.id);
    else ({ train, validation, test })[split].push(sample);
  }
  if (twice.length > 0) throw new DataError(`${path} lists images more than once: ${listed(twice)}.`);
  if (train.length === 0) throw new DataError(`${path} lists no good images to train on.`);
  const hasMasks = [...train, ...validation, ...test].some(({ maskPath }) => maskPath !== undefined);
  return {
    ...{ train, test, hasMasks, strayMasks: [] },
    ...(validation.length > 0 && { validation }),
    ...(leftOut.length > 0 && {
      notices: [
        `${leftOut.length} defective images of ${path} have the split validation (${listed(leftOut)}): left out, as only good ones are held out`,
      ],
    }),
  };
}

function sampleOf({ line, cells }: Row, path: string, folder: string): Sample {
  const { image, label: text = "", mask, kind } = cells;
  if (image === undefined) throw new DataError(`${path}, line ${line}, names no image.`);
  const label = labelOf(text);
  if (label === undefined) {
    throw new DataError(
      `${path}, line ${line}: the label must be good (ok, normal, 0) or defective (bad, ko, nok, ng, anomaly, 1), but is "${text}".`,
    );
  }
  const file = fileOf(image, folder);
  const sample: Sample = {
    id: idOf(file, folder),
    path: file,
    label,
    kind: label === 0 ? "good" : (kind ?? "defective"),
  };
  // A good image has no defective pixels, whatever its mask is.
  return mask === undefined || label === 0 ? sample : { ...sample, maskPath: fileOf(mask, folder) };
}

/** A path of a table. Tables written on Windows have backslashes, which elsewhere may be part of a name. */
function fileOf(path: string, folder: string): string {
  const file = resolve(folder, path);
  return !path.includes("\\") || existsSync(file) ? file : resolve(folder, path.replaceAll("\\", "/"));
}

/** The path below the table's folder. Names of results are made of ids, so none may lead out of where they are written. */
function idOf(file: string, folder: string): string {
  const path = relative(folder, file);
  const parts = (isAbsolute(path) ? path.replace(":", "") : path).split(/[\\/]+/);
  return parts
    .filter((part) => part !== "")
    .map((part) => (part === ".." ? "_" : part))
    .join("/");
}

function splitOf(
  { line, cells }: Row,
  { id, label }: Sample,
  path: string,
  seed: number,
): keyof typeof splits {
  const { split: text } = cells;
  if (text === undefined) return label === 1 || isTestImage(id, seed) ? "test" : "train";
  const split = (Object.keys(splits) as (keyof typeof splits)[]).find((name) =>
    splits[name].includes(text.toLowerCase()),
  );
  if (split === undefined) {
    throw new DataError(
      `${path}, line ${line}: the split must be train, validation (val) or test, but is "${text}".`,
    );
  }
  if (split === "train" && label === 1) {
    throw new DataError(`${path}, line ${line}, trains on a defective image; only good ones are trained on.`);
  }
  return split;
}
