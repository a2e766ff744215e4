/** The settings that are tried: a few ways of sampling, each with a few ways of comparing. */
import { brokenRules } from "../../config/rules.ts";
import type { Config } from "../../config/schema.ts";
import type { WhitenedLayer } from "../distance.ts";
import { distanceLayers } from "../features.ts";
import { whitenedLayers } from "../whitening.ts";

/** How an image is compared with its reconstruction. */
export type ComparisonSettings = {
  readonly distance: Config["detection"]["distance"];
  readonly layers: readonly WhitenedLayer[];
  readonly pixelWeight: number;
};

/** Settings to try, beside those that a model has. */
export type SettingsGrid = {
  readonly samplings: readonly Partial<Config["sampling"]>[];
  readonly comparisons: readonly ComparisonSettings[];
  /** Draws that the best way of sampling is tried with as well, where noise makes draws differ; 1 does not try more. */
  readonly draws: number;
};

const layerSets: readonly (readonly WhitenedLayer[])[] = [whitenedLayers, distanceLayers, ["layer3"]];

/**
 * One noised call at three time steps, and ten guided ones from a start without noise; cosine or whitened residual of three sets of
 * layers, with pixels and without.
 */
export const defaultGrid: SettingsGrid = {
  samplings: [
    ...[50, 100, 200].map((start) => ({ start, steps: 1, guidance: 0, startNoise: true, draws: 1 })),
    { start: 250, steps: 10, guidance: 2, startNoise: false, draws: 1 },
  ],
  comparisons: (["whitened", "cosine"] as const).flatMap((distance) =>
    layerSets.flatMap((layers) => [0, 1].map((pixelWeight) => ({ distance, layers, pixelWeight }))),
  ),
  draws: 4,
};

/** The configuration with another way of sampling. */
export const withSampling = (config: Config, sampling: Partial<Config["sampling"]>): Config => ({
  ...config,
  sampling: { ...config.sampling, ...sampling },
});

/** The configuration with another way of comparing. */
export const withComparison = (
  config: Config,
  { distance, layers, pixelWeight }: ComparisonSettings,
): Config => ({
  ...config,
  detection: { ...config.detection, distance, layers: [...layers], pixelWeight },
});

/**
 * Ways of sampling to try, the present one first; none twice, none that the network was not trained for. Of a method without
 * sampling the present one alone.
 */
export function samplingsOf(config: Config, { samplings }: SettingsGrid): Config["sampling"][] {
  if (config.method !== "ddad") return [config.sampling];
  const all = [config.sampling, ...samplings.map((sampling) => withSampling(config, sampling).sampling)];
  return distinct(all, samplingKey).filter((sampling) => isAllowed(withSampling(config, sampling)));
}

/** The best way of sampling with as many draws as the grid says; undefined where that is no other one. */
export function withDraws(
  config: Config,
  best: Config["sampling"],
  { draws }: SettingsGrid,
): Config["sampling"] | undefined {
  if (config.method !== "ddad" || draws === best.draws || best.draws > 1) return undefined;
  const sampling = { ...best, draws };
  return isAllowed(withSampling(config, sampling)) ? sampling : undefined;
}

/** Ways of comparing to try, the present one first; none where pixels alone are compared. */
export function comparisonsOf(
  { features, detection }: Config,
  { comparisons }: SettingsGrid,
): ComparisonSettings[] {
  if (features.network === "none") return [];
  const { distance, pixelWeight } = detection;
  const layers = detection.layers ?? (distance === "whitened" ? whitenedLayers : distanceLayers);
  return distinct([{ distance, layers, pixelWeight }, ...comparisons], (each) => JSON.stringify(each));
}

/** What tells ways of sampling apart: where the number of steps is given the stride does not count. */
export const samplingKey = ({ stride, steps, ...others }: Config["sampling"]): string =>
  JSON.stringify([steps ?? `stride ${stride}`, ...Object.entries(others).sort()]);

const isAllowed = (config: Config): boolean => brokenRules(config, []).length === 0;

/** The first of those with the same key. */
function distinct<T>(values: readonly T[], key: (value: T) => string): T[] {
  const seen = new Set<string>();
  return values.filter((value) => !seen.has(key(value)) && seen.add(key(value)));
}
