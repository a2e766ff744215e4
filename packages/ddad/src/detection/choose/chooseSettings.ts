/**
 * The choice of settings without labels: synthetic defects are laid on good images that were not trained on, and what finds them best
 * is taken.
 *
 * The held-out images are divided into two folds by a hash. Each fold calibrates what is measured on the other one, so that no image
 * is judged by statistics of its own, and the two measurements are averaged.
 *
 * What decides is the AUPRO up to a false-positive rate of 0.3, of each kind of defect by itself, in the mean over the kinds. AUPRO
 * counts regions and not pixels, so that a large defect is worth no more than a small one; but a ragged patch falls into many regions,
 * and would outvote the kinds that are laid in one piece. Pixel AUROC would be ruled by the largest defects, image AUROC by the few
 * pixels with the largest values.
 */
import type { Config } from "../../config/schema.ts";
import { emptyImageSet, imageAt, type NamedImages } from "../../data/imageSet.ts";
import { hashCounters, hashText } from "../../data/random.ts";
import { syntheticTestSet } from "../../data/synthetic/syntheticTestSet.ts";
import { samplingSteps } from "../../diffusion/schedule.ts";
import { DataError } from "../../errors.ts";
import { checkDetector, type Detector } from "../inspect.ts";
import type { ChoiceRow, Chosen } from "./chosen.ts";
import { createGridDistances } from "./distances.ts";
import {
  type ComparisonSettings,
  comparisonsOf,
  defaultGrid,
  type SettingsGrid,
  samplingsOf,
  withComparison,
  withDraws,
  withSampling,
} from "./grid.ts";
import { type Measurement, measureTrials, type Trial } from "./measure.ts";

/** How settings are chosen. */
export type ChoiceOptions = {
  /** Of the synthetic defects, of the folds, and of which images are taken. */
  readonly seed: number;
  /** What is tried beside the present settings; `defaultGrid` without it. */
  readonly grid?: SettingsGrid | undefined;
  /** Held-out images that are used at most; 24 without it. */
  readonly images?: number | undefined;
  /** Synthetic defects on each of them, of the kinds in turn; 3 without it. */
  readonly defects?: number | undefined;
  /**
   * Bytes of host memory for features of images, which are then taken once for all ways of sampling. Default 1 GiB: 146 images of
   * 256² by a ResNet-50; those of further images are taken again.
   */
  readonly cacheBytes?: number | undefined;
  /** Looked at before every sampling step; once it is aborted, its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Told after every image, of each way of sampling anew. The count may shrink at the end. */
  readonly progress?: ((done: number, count: number) => void) | undefined;
};

/** Settings that were chosen. */
export type Choice = {
  /** The configuration with them. */
  readonly config: Config;
  /** Everything that was tried, the best first. */
  readonly rows: readonly ChoiceRow[];
  /** What the settings of the detector reached. */
  readonly present: ChoiceRow;
  /** The mark for a calibration with these settings. */
  readonly chosen: Chosen;
};

/** Differences of AUPRO below this are not told apart: then the settings with fewer calls of the network are taken. */
export const tiedBelow = 0.005;

const takeDraw = 1;

/**
 * Chooses ways of sampling and comparing. No test image and no label is looked at; the threshold is not chosen either, it comes from
 * a calibration with the settings.
 *
 * @param detector what inspects, with its present settings, which are tried as well
 * @param heldOut good images that were not trained on: four at least
 * @throws DataError for the paper's protocol and for PatchCore, where there is nothing to choose, and where there are too few images
 * or one that can show no defect
 */
export async function chooseSettings(
  detector: Omit<Detector, "calibration">,
  heldOut: NamedImages,
  options: ChoiceOptions,
): Promise<Choice> {
  const { config } = detector;
  const {
    seed,
    grid = defaultGrid,
    images = 24,
    defects = 3,
    cacheBytes = 2 ** 30,
    signal,
    progress,
  } = options;
  checkChoice(config);
  checkDetector(detector);
  const used = takeImages(heldOut, images, seed);
  const trials = crossTrials(used, { seed, perImage: defects });
  const samplings = samplingsOf(config, grid);
  const comparisons = comparisonsOf(config, grid);
  if (samplings.length * Math.max(comparisons.length, 1) < 2) {
    throw new DataError(
      `There is nothing to choose: method ${config.method} has one way of comparing without a network; name one by features.network.`,
    );
  }
  const distances = createGridDistances(config, detector.extractor, comparisons, cacheBytes);
  const perSampling = trials.reduce((sum, { test }) => sum + test.samples.length, 0);
  const mayDraw = samplings.some((sampling) => withDraws(config, sampling, grid) !== undefined);
  let done = 0;
  let count = perSampling * (samplings.length + Number(mayDraw));
  const rowsOf = async (sampling: Config["sampling"]): Promise<ChoiceRow[]> => {
    const measured = await measureTrials(
      { ...detector, config: withSampling(config, sampling) },
      distances,
      comparisons,
      trials,
      { signal, progress: () => progress?.(++done, count) },
    );
    const tried: (ComparisonSettings | undefined)[] = comparisons.length > 0 ? comparisons : [undefined];
    return tried.map((comparison, k) =>
      choiceRow(
        config,
        sampling,
        comparison,
        measured.map((trial) => trial[k]!),
      ),
    );
  };
  const rows: ChoiceRow[] = [];
  for (const sampling of samplings) rows.push(...(await rowsOf(sampling)));
  const best = rank(rows)[0]!.sampling;
  const drawn = best && withDraws(config, best, grid);
  if (drawn) rows.push(...(await rowsOf(drawn)));
  else count = done;
  if (mayDraw && !drawn) progress?.(done, count);
  const ranked = rank(rows);
  const { sampling, comparison } = ranked[0]!;
  const sampled = sampling ? withSampling(config, sampling) : config;
  return {
    config: comparison ? withComparison(sampled, comparison) : sampled,
    rows: ranked,
    present: rows[0]!,
    chosen: {
      on: "synthetic defects",
      seed,
      images: used.ids.length,
      defects: perSampling - used.ids.length,
      rows: ranked,
    },
  };
}

/** The rows by AUPRO; of those less than `tiedBelow` from the best one, the one with the fewest calls comes first. */
export function rank(rows: readonly ChoiceRow[]): ChoiceRow[] {
  const sorted = [...rows].sort((a, b) => b.aupro30 - a.aupro30);
  const tied = sorted.filter(({ aupro30 }) => sorted[0]!.aupro30 - aupro30 < tiedBelow);
  const least = Math.min(...tied.map(({ calls }) => calls));
  const first = tied.find(({ calls }) => calls === least)!;
  return [first, ...sorted.filter((row) => row !== first)];
}

/** @throws DataError where settings cannot be chosen, see `chooseSettings` */
export function checkChoice({ protocol, method }: Config): void {
  if (protocol === "paper") {
    throw new DataError(
      "The paper's protocol has its settings from the paper, and no calibration to choose others with; take the protocol strict.",
    );
  }
  if (method === "ddad" || method === "nearest") return;
  throw new DataError(
    `Settings are chosen for the methods ddad and nearest, but method is ${method}, which neither samples nor has distances to choose from.`,
  );
}

/** At most so many of the images: those that come first by a hash of id and seed, in that order. */
function takeImages({ images, ids }: NamedImages, most: number, seed: number): NamedImages {
  if (!Number.isInteger(most) || most < 4) {
    throw new RangeError(`chooseSettings: images must be a whole number of at least 4, but is ${most}.`);
  }
  if (ids.length < 4) {
    throw new DataError(
      `Choosing settings needs four good images that were not trained on, two for each fold, but there are ${ids.length}; raise data.heldOut or add images.`,
    );
  }
  const hash = (index: number): number => hashCounters(seed, takeDraw, hashText(ids[index]!));
  const order = [...ids.keys()].sort((a, b) => hash(a) - hash(b) || (ids[a]! < ids[b]! ? -1 : 1));
  return pick({ images, ids }, order.slice(0, most));
}

function pick({ images, ids }: NamedImages, indices: readonly number[]): NamedImages {
  const set = emptyImageSet(indices.length, images.size);
  const stride = images.size * images.size * 3;
  for (const [place, index] of indices.entries()) set.data.set(imageAt(images, index).data, place * stride);
  return { images: set, ids: indices.map((index) => ids[index]!) };
}

/** Each fold, every other image in the order of their hashes, calibrates; the other one gets the defects. */
function crossTrials(
  used: NamedImages,
  options: { readonly seed: number; readonly perImage: number },
): Trial[] {
  const order = [...used.ids.keys()];
  const folds = [0, 1].map((fold) =>
    pick(
      used,
      order.filter((place) => place % 2 === fold),
    ),
  );
  return folds.map((calibration, fold) => ({
    calibration,
    test: syntheticTestSet(folds[1 - fold]!, options),
  }));
}

/** @param measured of each fold */
function choiceRow(
  { method }: Config,
  sampling: Config["sampling"],
  comparison: ComparisonSettings | undefined,
  measured: readonly Measurement[],
): ChoiceRow {
  // By rounding an area can be above 1, where everything is found.
  const mean = (values: readonly number[]): number =>
    Math.min(values.reduce((sum, value) => sum + value, 0) / values.length, 1);
  const kinds = [...new Set(measured.flatMap((fold) => Object.keys(fold.kinds)))];
  const auproOf = (kind: string): number =>
    mean(measured.flatMap((fold) => (fold.kinds[kind] === undefined ? [] : [fold.kinds[kind]])));
  const byKind = Object.fromEntries(kinds.map((kind) => [kind, auproOf(kind)]));
  const samples = method === "ddad";
  return {
    ...(samples && { sampling }),
    ...(comparison && { comparison: { ...comparison, layers: [...comparison.layers] } }),
    calls: samples ? samplingSteps(sampling).length * sampling.draws : 0,
    aupro30: mean(Object.values(byKind)),
    kinds: byKind,
    pixelAuroc: mean(measured.map(({ pixelAuroc }) => pixelAuroc)),
    imageAuroc: mean(measured.map(({ imageAuroc }) => imageAuroc)),
  };
}
