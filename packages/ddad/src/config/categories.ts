/**
 * The settings that were published for each category of MVTec AD and VisA.
 *
 * Source: w, the epochs of the denoiser and those of the feature extractor ("FE epochs") are the tables of settings in the
 * README of the authors' code, second version (github.com/arimousa/DDAD; arXiv 2305.15956). v, λ and the batches are in no
 * table; they are what comments in its config.yaml say of each data set. Of v for VisA's cashew that comment says both 1 and
 * 1.5; here it is 1, which it says first.
 *
 * No validation set was published, so the numbers were probably chosen by results on the test sets. A result made with them
 * says how good the method can be on this category, not how good it will be on one that nobody tuned it for.
 */

/** What was published for one category. */
export type CategorySettings = {
  readonly dataset: PublishedDataset;
  readonly category: string;
  /** Good training images of the data set. */
  readonly trainingImages: number;
  /** w, the pull towards the inspected image. */
  readonly guidance: number;
  /** Epochs of the denoiser. */
  readonly epochs: number;
  /** Epochs of the feature extractor's adaptation. */
  readonly adaptationEpochs: number;
  /** v, what the pixel distance counts for. */
  readonly pixelWeight: number;
  /** λ, what holds the adapted extractor to its copy. */
  readonly distillation: number;
  /** Images a step of the adaptation. */
  readonly adaptationBatch: number;
  /** Images whose maxima are shared in testing. */
  readonly testBatch: number;
};

type Row = readonly [trainingImages: number, guidance: number, epochs: number, adaptationEpochs: number];

type DatasetTable = Pick<
  CategorySettings,
  "pixelWeight" | "distillation" | "adaptationBatch" | "testBatch"
> & {
  readonly rows: { readonly [category: string]: Row };
  /** Categories that differ in what the data set's others share. */
  readonly exceptions?: { readonly [category: string]: Partial<CategorySettings> };
};

const tables = {
  mvtec: {
    pixelWeight: 1,
    distillation: 0.1,
    adaptationBatch: 16,
    testBatch: 16,
    rows: {
      carpet: [280, 0, 2500, 0],
      grid: [264, 4, 2000, 6],
      leather: [245, 11, 2000, 8],
      tile: [230, 4, 1000, 0],
      wood: [247, 11, 2000, 16],
      bottle: [209, 3, 1000, 5],
      cable: [224, 3, 3000, 0],
      capsule: [219, 8, 1500, 8],
      hazelnut: [391, 5, 2000, 3],
      metal_nut: [220, 7, 3000, 1],
      pill: [267, 9, 1000, 4],
      screw: [320, 2, 2000, 4],
      toothbrush: [60, 0, 2000, 2],
      transistor: [213, 0, 2000, 0],
      zipper: [240, 10, 1000, 6],
    },
  },
  visa: {
    pixelWeight: 7,
    distillation: 0.01,
    adaptationBatch: 32,
    testBatch: 32,
    rows: {
      candle: [900, 6, 1000, 1],
      capsules: [542, 5, 1000, 3],
      cashew: [450, 0, 1750, 0],
      chewinggum: [453, 6, 1250, 0],
      fryum: [450, 4, 1000, 3],
      macaroni1: [900, 5, 500, 7],
      macaroni2: [900, 2, 500, 11],
      pcb1: [904, 9, 500, 8],
      pcb2: [901, 5, 500, 5],
      pcb3: [905, 6, 500, 1],
      pcb4: [904, 6, 500, 1],
      pipe_fryum: [450, 8, 500, 6],
    },
    exceptions: {
      cashew: { pixelWeight: 1 },
      macaroni2: { adaptationBatch: 16 },
      pcb1: { adaptationBatch: 16 },
    },
  },
} as const satisfies { readonly [dataset: string]: DatasetTable };

/** Data sets with published settings. */
export type PublishedDataset = keyof typeof tables;

/** Data sets with settings for their categories. */
export const publishedDatasets: readonly string[] = Object.keys(tables);

/** Every category with published settings, in the order of the README. */
export const categories: readonly CategorySettings[] = Object.entries<DatasetTable>(tables).flatMap(
  ([dataset, { rows, exceptions, ...shared }]) =>
    Object.entries(rows).map(
      ([category, [trainingImages, guidance, epochs, adaptationEpochs]]): CategorySettings => ({
        dataset: dataset as PublishedDataset,
        category,
        ...{ trainingImages, guidance, epochs, adaptationEpochs },
        ...shared,
        ...exceptions?.[category],
      }),
    ),
);

/** The published settings of a category; undefined where there are none. @param dataset in any case, such as MVTec. */
export function findCategory(dataset: string, category: string): CategorySettings | undefined {
  const name = dataset.toLowerCase();
  return categories.find((settings) => settings.dataset === name && settings.category === category);
}

/** A training told in epochs. */
export type Epochs = {
  readonly epochs: number;
  /** Images trained on. */
  readonly images: number;
  /** Images a step. */
  readonly batchSize: number;
};

/**
 * Optimiser steps of some epochs as the published code takes them: a last batch that is not full is left out, so that fewer
 * images than one batch make no step at all.
 */
export const stepsOfEpochs = ({ epochs, images, batchSize }: Epochs): number =>
  Math.floor(images / batchSize) * epochs;
