/**
 * A detector without training: patches that resemble none of the good images' are defective.
 * Roth, Pemula, Zepeda, Schölkopf, Brox and Gehler, "Towards total recall in industrial anomaly detection" (PatchCore),
 * CVPR 2022.
 */
import {
  CheckpointError,
  compile,
  evaluate,
  type FeatureName,
  gather,
  Module,
  resizeBilinear,
  type StateDict,
  type StateEntry,
  type Tensor,
  tensor,
} from "@ddad/nn";
import { eachImage, gatherPixels, type ImageSet, type ImageSource, sideOf } from "../data/imageSet.ts";
import { type AnomalyMapOptions, anomalyMap } from "../detection/distance.ts";
import { distanceLayers, type Extractor } from "../detection/features.ts";
import type { Inspection } from "../detection/inspect.ts";
import { type CollectOptions, collectBank } from "./collect.ts";
import { MemoryBank } from "./memoryBank.ts";
import { joinStages, type PatchChannels, patchStages } from "./patches.ts";
import { imageScore } from "./score.ts";

/** What a bank holds and how images are scored by it: plain data, to be stored with the bank. */
export type PatchCoreSettings = {
  /** Stages that patches are taken from, the finest first. */
  readonly layers: readonly FeatureName[];
  /** What patches hold of the stages. Default `equal`, which models of earlier versions have. */
  readonly channels?: PatchChannels;
  /** Neighbours in the bank that weigh the score of an image; 1 leaves it the largest distance of a patch. */
  readonly neighbours: number;
};

/** The settings where none are given. */
export const patchCoreDefaults: Required<PatchCoreSettings> = {
  layers: distanceLayers,
  channels: "equal",
  neighbours: 9,
};

const withDefaults = ({
  layers = patchCoreDefaults.layers,
  channels = patchCoreDefaults.channels,
  neighbours = patchCoreDefaults.neighbours,
}: Partial<PatchCoreSettings>): Required<PatchCoreSettings> => ({ layers, channels, neighbours });

/** As they are numbered in a state. */
const stages: readonly FeatureName[] = ["layer1", "layer2", "layer3", "layer4"];

/** Options of `PatchCore.fit`. */
export type FitOptions = Partial<PatchCoreSettings> & CollectOptions;

/** A memory bank of patches of good images, and the network that sees patches. */
export class PatchCore {
  /** What the bank holds, and how images are scored by it. */
  readonly settings: Required<PatchCoreSettings>;
  /** Patches of good images. */
  readonly bank: MemoryBank;
  readonly #source: ReturnType<typeof patchesBy>;

  /**
   * @param extractor in evaluation mode; not disposed of with the bank.
   * @param bank made with patches of this extractor and these settings.
   */
  constructor(extractor: Extractor, bank: MemoryBank, settings: PatchCoreSettings = patchCoreDefaults) {
    const { layers, channels, neighbours } = withDefaults(settings);
    if (!(Number.isInteger(neighbours) && neighbours >= 1)) {
      throw new RangeError(`PatchCore: neighbours must be a whole number from 1 on, but is ${neighbours}.`);
    }
    this.settings = { layers, channels, neighbours };
    this.bank = bank;
    this.#source = patchesBy(extractor, layers, channels);
  }

  /**
   * Fills a bank with patches of good images.
   *
   * @param images at least one.
   * @throws DataError when there is no memory for what the patches are chosen by.
   */
  static async fit(extractor: Extractor, images: ImageSet, options: FitOptions = {}): Promise<PatchCore> {
    const { layers, channels, neighbours } = withDefaults(options);
    const { stages, join } = patchesBy(extractor, layers, channels);
    const source = { join, stages: (k: number) => stages(gatherPixels(images, [k]), images.size) };
    const { values, dimension } = await collectBank(source, images.count, options);
    return new PatchCore(extractor, new MemoryBank(values, dimension), { layers, channels, neighbours });
  }

  /**
   * The detector whose `stateDict` this is. Its patches are of the stages that filled the bank.
   *
   * @throws CheckpointError when it holds no bank, or does not say which stages these are.
   */
  static fromState(
    extractor: Extractor,
    state: ReadonlyMap<string, StateEntry>,
    { neighbours = patchCoreDefaults.neighbours }: Partial<Pick<PatchCoreSettings, "neighbours">> = {},
  ): PatchCore {
    const bank = state.get("bank");
    if (bank?.shape.length !== 2 || !(bank.data instanceof Float32Array)) {
      throw new CheckpointError('PatchCore: a bank of patches must be "bank", floats of two axes.');
    }
    const layers = [...(state.get("layers")?.data ?? [])].map((number) => stages[Number(number) - 1]);
    if (layers.length === 0 || layers.includes(undefined)) {
      throw new CheckpointError(
        'PatchCore: the stages that patches were taken from must be "layers", numbers from 1 to 4; a bank without them must be filled again.',
      );
    }
    const equal = Number(state.get("allChannels")?.data[0] ?? 0) === 0;
    const channels = equal ? ("equal" as const) : ("all" as const);
    const settings = { layers: layers as FeatureName[], channels, neighbours };
    return new PatchCore(extractor, new MemoryBank(bank.data, bank.shape[1]!), settings);
  }

  /**
   * The bank, `[patches, C]` under the name `bank`, the numbers of the stages that filled it under `layers`, and under `allChannels`
   * 1 where patches hold all of theirs, 0 where they are averaged.
   */
  stateDict(): StateDict {
    const { values, size, dimension } = this.bank;
    const { channels } = this.settings;
    const layers = Int32Array.from(this.settings.layers, (layer) => stages.indexOf(layer) + 1);
    return new Map([
      ["bank", { shape: [size, dimension], dtype: "f32", data: values }],
      ["layers", { shape: [layers.length], dtype: "i32", data: layers }],
      ["allChannels", { shape: [1], dtype: "i32", data: Int32Array.of(channels === "all" ? 1 : 0) }],
    ]);
  }

  /**
   * Inspects images, one at a time, so that what is said of an image is the same, bit for bit, whatever it is inspected
   * with. The map holds the distances of the patches to the bank, enlarged to the image and blurred; the score is
   * `imageScore`'s, from the distances before.
   *
   * @param images of the size of those that filled the bank, as their patches are compared; a set, or images that come one
   *   after the other, of which no more than one is held.
   * @param map the blur, by default 4 pixels of 256 as in the paper, and the crop; the score sees the whole image.
   */
  async *inspect(
    images: ImageSource,
    { blurSigma, crop = 0 }: Partial<AnomalyMapOptions> = {},
  ): AsyncGenerator<Inspection> {
    for await (const image of eachImage(images)) {
      const size = sideOf(image);
      const stages = await this.#source.stages(image.pixels, size);
      using patches = await this.#source.join(stages);
      for (const stage of stages) stage.dispose();
      const vectors = this.#vectorsOf(patches);
      const distances = await this.bank.nearestDistances(vectors);
      using nearest = tensor(distances, [1, ...patches.shape.slice(1, 3), 1]);
      const enlarged = resizeBilinear(nearest, [size, size]);
      using blurred = anomalyMap([{ distance: enlarged }], { blurSigma: blurSigma ?? size / 64, crop });
      const map = (await blurred.data()) as Float32Array;
      const score = await imageScore(
        this.bank,
        distances,
        (place) => rowOf(vectors, place),
        this.settings.neighbours,
      );
      yield { id: image.id, score, map, mapSize: Math.sqrt(map.length) };
    }
  }

  /** Scores of images, rising: of held-out good ones they are what `falseAlarmThreshold` takes. */
  async scores(images: ImageSource): Promise<number[]> {
    const scores: number[] = [];
    for await (const { score } of this.inspect(images)) scores.push(score);
    return scores.sort((a, b) => a - b);
  }

  /** Frees the bank. */
  dispose(): void {
    this.bank.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** `[1, h, w, C]` → `[h · w, C]`. */
  #vectorsOf(patches: Tensor): Tensor {
    const { dimension } = this.bank;
    if (patches.shape[3] !== dimension) {
      throw new RangeError(
        `PatchCore: the bank holds patches of ${dimension} numbers, but this network gives ${patches.shape[3]}; ` +
          "use the network and the layers that filled the bank.",
      );
    }
    return patches.reshape([-1, dimension]);
  }
}

/** Computes the stages of an image `[size, size, 3]`, and of them its patches `[1, h, w, C]`; both recorded once. */
function patchesBy(extractor: Extractor, layers: readonly FeatureName[], channels: PatchChannels) {
  const features = compile((image: Tensor) => patchStages(extractor, image, layers, channels));
  const joined = compile((...stages: Tensor[]) => joinStages(stages));
  return {
    async stages(pixels: Float32Array, size: number): Promise<readonly Tensor[]> {
      // Weights loaded a moment ago must be in the buffers that the compiled function reads.
      if (extractor instanceof Module) await evaluate(...extractor.namedState().values());
      using image = tensor(pixels, [1, size, size, 3]);
      return await features(image);
    },
    join: (stages: readonly Tensor[]): Promise<Tensor> => joined(...stages),
  };
}

async function rowOf(vectors: Tensor, index: number): Promise<Float32Array> {
  using place = tensor([index], [1], { dtype: "u32" });
  using row = gather(vectors, place);
  return (await row.data()) as Float32Array;
}
