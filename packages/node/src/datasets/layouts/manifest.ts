/**
 * A table that lists images, CSV or JSON lines: `image`, `label`, and where wanted `split`, `mask` and `kind`; other
 * columns are left alone. Paths are relative to the table.
 */
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { DataError, isTestImage, type Sample, type Samples } from "@ddad/ddad/internal";
import { listed } from "../listing.ts";
import { type Row, readTable } from "./table.ts";

const labels: { readonly [label: string]: 0 | 1 } = {
  ...{ good: 0, ok: 0, normal: 0, 0: 0, false: 0 },
  ...{ defective: 1, defect: 1, bad: 1, ko: 1, ng: 1, anomaly: 1, abnormal: 1, 1: 1, true: 1 },
};

/**
 * Good images without a split are divided by the hash of their ids, a fifth to test with; defective ones are always
 * tested with.
 */
export function readManifest(path: string, seed: number): Samples {
  const folder = dirname(resolve(path));
  const samples: Samples = { train: [], test: [], hasMasks: false, strayMasks: [] };
  const seen = new Set<string>();
  const twice: string[] = [];
  for (const row of readTable(path, ["image", "label"])) {
    const sample = sampleOf(row, path, folder);
    if (seen.has(sample.id)) twice.push(sample.id);
    seen.add(sample.id);
    if (sample.maskPath !== undefined) samples.hasMasks = true;
    (isForTest(row, sample, path, seed) ? samples.test : samples.train).push(sample);
  }
  if (twice.length > 0) throw new DataError(`${path} lists images more than once: ${listed(twice)}.`);
  if (samples.train.length === 0) throw new DataError(`${path} lists no good images to train on.`);
  return samples;
}

function sampleOf({ line, cells }: Row, path: string, folder: string): Sample {
  const { image, label: text = "", mask, kind } = cells;
  if (image === undefined) throw new DataError(`${path}, line ${line}, names no image.`);
  const label = Object.hasOwn(labels, text.toLowerCase()) ? labels[text.toLowerCase()] : undefined;
  if (label === undefined) {
    throw new DataError(
      `${path}, line ${line}: the label must be good (ok, normal, 0) or defective (bad, ko, ng, anomaly, 1), but is "${text}".`,
    );
  }
  const file = resolve(folder, image);
  const sample: Sample = {
    id: idOf(file, folder),
    path: file,
    label,
    kind: label === 0 ? "good" : (kind ?? "defective"),
  };
  // A good image has no defective pixels, whatever its mask is.
  return mask === undefined || label === 0 ? sample : { ...sample, maskPath: resolve(folder, mask) };
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

function isForTest({ line, cells }: Row, { id, label }: Sample, path: string, seed: number): boolean {
  const { split } = cells;
  if (split === undefined) return label === 1 || isTestImage(id, seed);
  const name = split.toLowerCase();
  if (name !== "train" && name !== "test") {
    throw new DataError(`${path}, line ${line}: the split must be train or test, but is "${split}".`);
  }
  if (name === "train" && label === 1) {
    throw new DataError(`${path}, line ${line}, trains on a defective image; only good ones are trained on.`);
  }
  return name === "test";
}
