/** What a data set holds, and what is wrong with it. */
import { existsSync } from "node:fs";
import {
  DataError,
  type DatasetFormat,
  type Image,
  type Orientation,
  type Sample,
  splitHeldOut,
} from "@ddad/ddad/internal";
import { readImage } from "../images/read.ts";
import { type DatasetOptions, findDataset } from "./dataset.ts";
import { listed } from "./listing.ts";
import { type LoadProgress, readMask } from "./load.ts";

/** What was found in a data set. */
export type DatasetDescription = {
  readonly name: string;
  readonly format: DatasetFormat;
  /** Images by what they are for and what they show; good ones first. */
  readonly counts: readonly {
    readonly split: "train" | "heldOut" | "test";
    readonly kind: string;
    readonly images: number;
    /** How many of them have a mask. */
    readonly masks: number;
  }[];
  /** Sizes of the images that can be read, the most frequent first. */
  readonly sizes: readonly { readonly width: number; readonly height: number; readonly images: number }[];
  /** What should be looked at, one sentence each. */
  readonly problems: readonly string[];
};

/** How a data set is read, and what it must suffice for. */
export type DescribeOptions = DatasetOptions & {
  /** Fraction of the good images that is held out; without it none is. */
  readonly heldOut?: number;
  /** Images of a training step; without it any number will do. */
  readonly batchSize?: number;
  /** Side to which images are resized; without it nothing is said about their sizes. */
  readonly imageSize?: number;
  /** Whether EXIF turns images. Default "exif". */
  readonly orientation?: Orientation;
  readonly progress?: LoadProgress;
};

/**
 * Reads every image and every mask of a data set.
 *
 * @param root folder of the data set, or a manifest
 * @param options how it will be used: the division, the image size, the batch
 * @returns counts, sizes, and a sentence for each problem
 * @throws DataError when there is no data set to describe; what is wrong with single files is described
 */
export async function describeDataset(
  root: string,
  options: DescribeOptions = {},
): Promise<DatasetDescription> {
  const { heldOut: fraction = 0, splitSeed: seed = 0, batchSize = 0, progress, orientation } = options;
  const dataset = findDataset(root, options);
  const { validation = [] } = dataset;
  const enough = dataset.train.length > 1 || validation.length > 0;
  const parts = {
    ...splitHeldOut(dataset.train, { fraction: enough ? fraction : 0, seed, validation }),
    test: dataset.test,
  };
  const samples = [...parts.train, ...parts.heldOut, ...dataset.test];
  const several: string[] = [];
  const how = { orientation, onNotice: (message: string) => several.push(`${message}.`) };
  const sizes = new Map<string, number>();
  const unreadable: string[] = [];
  const found = { empty: [] as string[], resized: [] as string[] };
  for (const [i, sample] of samples.entries()) {
    const image = await orSentence(readImage(sample.path, how), unreadable);
    if (image !== undefined) {
      const size = `${image.width} ${image.height}`;
      sizes.set(size, (sizes.get(size) ?? 0) + 1);
    }
    if (sample.maskPath !== undefined && sample.label === 1) {
      const mask = await orSentence(readMask(sample.maskPath, { orientation }), unreadable);
      if (mask?.data.every((value) => value === 0)) found.empty.push(sample.id);
      if (mask && image && differs(mask, image)) found.resized.push(sample.id);
    }
    progress?.(i + 1, samples.length);
  }
  const unmasked = dataset.hasMasks ? dataset.test.filter(isUnmasked).map(({ id }) => id) : [];
  const sorted = [...sizes]
    .sort(([, a], [, b]) => b - a)
    .map(([size, images]) => {
      const [width, height] = size.split(" ").map(Number) as [number, number];
      return { width, height, images };
    });
  const problems = [
    ...unreadable,
    ...(dataset.notices ?? []).map((message) => `${message}.`),
    ...several,
    ...(options.imageSize === undefined ? [] : describeSizes(sorted, options.imageSize)),
    ...sentence(unmasked, "defective images have no mask, but others have"),
    ...sentence(dataset.strayMasks, "masks belong to no image"),
    ...sentence(found.empty, "masks of defective images show nothing"),
    ...sentence(found.resized, "masks are of another size than their images, and are resized"),
    ...(parts.train.length < batchSize
      ? [
          `There are ${parts.train.length} images to train on, fewer than a batch of ${batchSize}: every step sees some more than once.`,
        ]
      : []),
    ...(fraction > 0 && parts.heldOut.length < 2
      ? [`${parts.heldOut.length} good images are held out, but a threshold needs two.`]
      : []),
    ...(dataset.test.some(isUnmasked) && !dataset.hasMasks
      ? ["There are no masks, so there are no pixel metrics."]
      : []),
    ...(dataset.test.length === 0 ? ["There are no test images, so nothing can be evaluated."] : []),
  ];
  return {
    name: dataset.name,
    format: dataset.format,
    counts: (["train", "heldOut", "test"] as const).flatMap((split) =>
      countKinds(parts[split]).map((count) => ({ split, ...count })),
    ),
    sizes: sorted,
    problems,
  };
}

type Size = DatasetDescription["sizes"][number];

/** What resizing to squares does to images of these sizes, where it is worth knowing. */
function describeSizes(sizes: readonly Size[], imageSize: number): string[] {
  const square = `${imageSize} × ${imageSize}`;
  const count = (some: readonly Size[]): number => some.reduce((sum, { images }) => sum + images, 0);
  const example = ({ width, height }: Size): string => `${width} × ${height}`;
  const oblong = sizes.filter(({ width, height }) => width !== height);
  const ratios = new Set(sizes.map(({ width, height }) => (width / height).toFixed(2)));
  const reduction = ({ width, height }: Size): number => Math.floor(Math.max(width, height) / imageSize);
  const [largest] = [...sizes].sort((a, b) => reduction(b) - reduction(a));
  const large = sizes.filter((size) => reduction(size) >= largeReduction);
  return [
    ...(oblong.length > 0
      ? [
          `${count(oblong)} ${count(oblong) === 1 ? "image is" : "images are"} not square (such as ${example(oblong[0]!)}) and ${count(oblong) === 1 ? "is" : "are"} squashed to ${square}` +
            `${ratios.size > 1 ? ", each by its own ratio" : ""}; crop them to squares if shapes matter.`,
        ]
      : []),
    ...(sizes.length > 1
      ? [
          `The images have ${sizes.length} sizes, but all are resized to ${square}: the same part must have the same size in all of them.`,
        ]
      : []),
    ...(large.length > 0
      ? [
          `${count(large)} ${count(large) === 1 ? "image is" : "images are"} much larger than data.imageSize (${example(largest!)}): ${reduction(largest!)} of their pixels become one, ` +
            "so smaller defects vanish; crop them to the part, or raise data.imageSize.",
        ]
      : []),
  ];
}

/** Reductions from which on details are lost that people see in the image. */
const largeReduction = 8;

const isUnmasked = ({ label, maskPath }: Sample): boolean => label === 1 && maskPath === undefined;

const differs = (a: Image, b: Image): boolean => a.width !== b.width || a.height !== b.height;

const sentence = (names: readonly string[], what: string): string[] =>
  names.length === 0 ? [] : [`${names.length} ${what}: ${listed(names)}.`];

function countKinds(samples: readonly Sample[]): { kind: string; images: number; masks: number }[] {
  const kinds = [...new Set(samples.map(({ kind }) => kind))].sort();
  kinds.sort((a, b) => Number(b === "good") - Number(a === "good"));
  return kinds.map((kind) => {
    const images = samples.filter((sample) => sample.kind === kind);
    const masks = images.filter(({ maskPath }) => maskPath !== undefined && existsSync(maskPath));
    return { kind, images: images.length, masks: masks.length };
  });
}

async function orSentence(image: Promise<Image>, sentences: string[]): Promise<Image | undefined> {
  try {
    return await image;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    sentences.push(error.message);
    return undefined;
  }
}
