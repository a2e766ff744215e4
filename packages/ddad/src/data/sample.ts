/** What a data set is made of. */

/** An image on disk. */
export type ImageFile = {
  /** Path below the folder asked for, with forward slashes on every system; stable, so seeds and splits hang on it. */
  id: string;
  path: string;
};

/** An image of which it is known whether it is defective. */
export type Sample = ImageFile & {
  /** 0 is good, 1 is defective. */
  label: 0 | 1;
  /** "good", or the kind of defect. */
  kind: string;
  /** Ground truth of a defective image, where the data set has it: a file, or a folder of masks that are merged. */
  maskPath?: string;
};

/** How the images of a data set lie on disk. */
export const datasetFormats = [
  "mvtec",
  "mvtec-ad-2",
  "mvtec-loco",
  "btad",
  "visa",
  "mtd",
  "manifest",
  "classes",
  "folder",
] as const;

/** One of the layouts that are read. */
export type DatasetFormat = (typeof datasetFormats)[number];

/** What a layout gives. */
export type Samples = {
  /** Good images only. */
  train: Sample[];
  /** Good images that the layout names for validation, where it does: they are the held-out ones. */
  validation?: Sample[];
  /** Good and defective images; empty when only good ones were given. */
  test: Sample[];
  /** Whether there is ground truth: then every defective image must have a mask. */
  hasMasks: boolean;
  /** Masks that belong to no image. */
  strayMasks: string[];
  /** What people should know about how it was read, one sentence each. */
  notices?: string[];
};

/** A data set as its layout gives it, with its name. */
export type Dataset = Samples & {
  /** Name to print: the last part of the folder's path. */
  name: string;
  format: DatasetFormat;
};
