/** Options of a UNet, and the published defaults by image size. */
import { checkOptions } from "@ddad/tensor/internal";
import { checkKind, checkSizes } from "../../arguments.ts";

/**
 * "f32", or "mixed": features and the weights that meet them are f16 (sums, norms, softmax and every gradient of a weight stay
 * f32), which halves the memory and suits the matrix units of a GPU; train with a `LossScale` then.
 */
export type Precision = "f32" | "mixed";

/** Options of `UNet`. */
export interface UNetOptions {
  /** Height and width of the images; decides the defaults below and where attention sits. */
  readonly imageSize: number;
  /** Channels of the images (and of the prediction). Default 3. */
  readonly inChannels?: number;
  /** Channels of the first level. DDAD: 64 (default); DDAD-S: 32. */
  readonly baseChannels?: number;
  /** Attention heads. DDAD: 4 (default); DDAD-S: 2. */
  readonly heads?: number;
  /** Fraction of activations dropped in training. DDAD: 0 (default); DDAD-S: 0.3. */
  readonly dropout?: number;
  /** Channels of each level as multiples of `baseChannels`; default by image size, see `defaultMultipliers`. */
  readonly channelMultipliers?: readonly number[];
  /** Residual blocks a level on the way down; one more on the way up. Default 2. */
  readonly blocksPerLevel?: number;
  /** Sizes of the feature maps that have attention beside the middle one. Default, as published: 32, 16 and 8. */
  readonly attentionSizes?: readonly number[];
  /** How a call computes; see `Precision`. Default "f32". The weights are f32 either way. */
  readonly precision?: Precision;
  /**
   * Gradient checkpointing of the blocks (Chen et al. 2016): drops their intermediates and recomputes them, for about a
   * third more arithmetic for much less memory. Default false. The gradients are the same.
   */
  readonly recompute?: boolean;
  /** Seed of the initial weights; default: the stream that `setSeed` starts. */
  readonly seed?: number;
}

/** Channel multipliers of the published networks by image size. */
export const defaultMultipliers: Readonly<Record<number, readonly number[]>> = {
  512: [0.5, 1, 1, 2, 2, 4, 4],
  256: [1, 1, 2, 2, 4, 4],
  128: [1, 1, 2, 3, 4],
  64: [1, 2, 3, 4],
  32: [1, 2, 3, 4],
};

/** Options with nothing left open: the channels of each level, and the downsampling factors that have attention. */
export interface UNetPlan {
  readonly inChannels: number;
  readonly baseChannels: number;
  readonly levels: readonly number[];
  readonly attentionFactors: ReadonlySet<number>;
  readonly blocksPerLevel: number;
  readonly heads: number;
  readonly dropout: number;
}

const optionNames = [
  "imageSize",
  "inChannels",
  "baseChannels",
  "heads",
  "dropout",
  "channelMultipliers",
  "blocksPerLevel",
  "attentionSizes",
  "precision",
  "recompute",
  "seed",
] as const;

/** Groups of every norm. */
const groups = 32;

/** Fills in the defaults. Throws RangeError with a sentence where the numbers do not fit together. */
export function planUNet(options: UNetOptions): UNetPlan {
  checkOptions("UNet", options, optionNames, "{ imageSize: 64 }");
  const {
    imageSize,
    inChannels = 3,
    baseChannels = 64,
    heads = 4,
    dropout = 0,
    blocksPerLevel = 2,
    attentionSizes = [32, 16, 8],
    channelMultipliers,
    precision = "f32",
  } = options;
  checkSizes("UNet", { imageSize, inChannels, baseChannels, heads, blocksPerLevel });
  for (const [name, list] of Object.entries({ channelMultipliers, attentionSizes }))
    if (list) checkKind("UNet", name, list, Array.isArray(list), "an array of numbers");
  checkKind("UNet", "precision", precision, ["f32", "mixed"].includes(precision), '"f32" or "mixed"');
  const multipliers = channelMultipliers ?? defaultMultipliers[imageSize];
  if (!multipliers) {
    const known = Object.keys(defaultMultipliers).join(", ");
    throw new RangeError(
      `UNet: no default channelMultipliers for imageSize ${imageSize} (only ${known}); give them.`,
    );
  }
  const levels = multipliers.map((multiplier) => multiplier * baseChannels);
  for (const [level, channels] of levels.entries()) {
    if (!Number.isInteger(channels / groups) || channels === 0) {
      throw new RangeError(
        `UNet: level ${level} has ${channels} channels, but its ${groups}-group norms need a multiple of ${groups}.`,
      );
    }
  }
  if (!Number.isInteger(imageSize / 2 ** (levels.length - 1))) {
    throw new RangeError(
      `UNet: imageSize ${imageSize} cannot be halved ${levels.length - 1} times for ${levels.length} levels.`,
    );
  }
  // Published as image_size // 32, // 16, // 8.
  const attentionFactors = new Set(attentionSizes.map((size) => Math.floor(imageSize / size)));
  return { inChannels, baseChannels, levels, attentionFactors, blocksPerLevel, heads, dropout };
}
