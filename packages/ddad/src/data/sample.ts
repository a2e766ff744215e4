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
  /** Ground truth of a defective image, where the data set has it. */
  maskPath?: string;
};

/** How the images of a data set lie on disk. */
export const datasetFormats = ["mvtec", "btad", "visa", "mtd", "manifest", "folder"] as const;

/** One of the layouts that are read. */
export type DatasetFormat = (typeof datasetFormats)[number];

/** What a layout gives. */
export type Samples = {
  /** Good images only. */
  train: Sample[];
  /** Good and defective images; empty when only good ones were given. */
  test: Sample[];
  /** Whether there is ground truth: then every defective image must have a mask. */
  hasMasks: boolean;
  /** Masks that belong to no image. */
  strayMasks: string[];
};

/** A data set as its layout gives it, with its name. */
export type Dataset = Samples & {
  /** Name to print: the last part of the folder's path. */
  name: string;
  format: DatasetFormat;
};
