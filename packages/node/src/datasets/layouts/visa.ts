/**
 * VisA as its archive unpacks (Zou et al., "SPot-the-Difference Self-supervised Pre-training for Anomaly Detection and
 * Segmentation", 2022): `<category>/Data/Images/{Normal,Anomaly}`, masks in `Data/Masks/Anomaly`, kinds of defects in
 * `<category>/image_anno.csv`, and which image is for what in `split_csv/1cls.csv` beside the categories.
 */
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { DataError, type Sample, type Samples } from "@ddad/ddad/internal";
import { isFolder, listImages, stemOf } from "../listing.ts";
import type { Layout } from "./layout.ts";
import { readTable } from "./table.ts";

export const visa: Layout = {
  looks: "Data/Images/Normal, Data/Images/Anomaly, Data/Masks/Anomaly and ../split_csv/1cls.csv",
  matches: (folder) => isFolder(join(folder, "Data", "Images")),
  read: readVisa,
  otherTest: false,
};

function readVisa(folder: string): Samples {
  const category = basename(resolve(folder));
  const root = dirname(resolve(folder));
  const table = join(root, "split_csv", "1cls.csv");
  if (!existsSync(table)) {
    throw new DataError(
      `${table} does not exist; it says which images of VisA are for training, and lies in VisA's archive beside the categories.`,
    );
  }
  const rows = readTable(table, ["object", "split", "label", "image"]).filter(
    ({ cells }) => cells["object"] === category,
  );
  const kinds = kindsOf(folder, category);
  const samples: Samples = { train: [], test: [], hasMasks: true, strayMasks: [] };
  for (const { line, cells } of rows) {
    const { split, label, image, mask } = cells;
    const known = ["train", "test"].includes(split ?? "") && ["normal", "anomaly"].includes(label ?? "");
    if (!known || !image?.startsWith(`${category}/`)) {
      throw new DataError(
        `${table}, line ${line}, is not one of VisA's: its split, label or image is another.`,
      );
    }
    const id = image.slice(category.length + 1);
    const found = { id, path: join(root, ...image.split("/")) };
    const sample: Sample =
      label === "normal"
        ? { ...found, label: 0, kind: "good" }
        : { ...found, label: 1, kind: kinds.get(id) ?? "anomaly" };
    if (mask !== undefined) sample.maskPath = join(root, ...mask.split("/"));
    // The other splits of VisA train on defective images, too; this one does not.
    if (split === "test") samples.test.push(sample);
    else if (sample.label === 0) samples.train.push(sample);
    else
      throw new DataError(`${table}, line ${line}, trains on a defective image; take VisA's own 1cls.csv.`);
  }
  if (samples.train.length === 0) throw new DataError(`${table} has no training images of ${category}.`);
  const byId = (a: Sample, b: Sample): number => (a.id < b.id ? -1 : 1);
  samples.train.sort(byId);
  samples.test.sort(byId);
  samples.strayMasks = strayMasks(folder, samples.test);
  return samples;
}

/** The kind of defect of every image; several in one are a kind of their own, "combined". */
function kindsOf(folder: string, category: string): Map<string, string> {
  const path = join(folder, "image_anno.csv");
  if (!existsSync(path)) return new Map();
  return new Map(
    readTable(path, ["image", "label"]).map(({ cells: { image = "", label = "" } }) => [
      image.replace(`${category}/`, ""),
      label.includes(",") ? "combined" : label,
    ]),
  );
}

function strayMasks(folder: string, test: readonly Sample[]): string[] {
  const masks = join(folder, "Data", "Masks", "Anomaly");
  if (!existsSync(masks)) return [];
  const images = new Set(test.filter(({ label }) => label === 1).map(({ path }) => stemOf(path)));
  return listImages(masks)
    .filter((name) => !images.has(stemOf(name)))
    .map((name) => join(masks, name));
}
