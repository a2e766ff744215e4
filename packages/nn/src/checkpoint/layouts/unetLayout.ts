/** The state dict of the published UNet, and the options of a UNet from its state dict. */
import { defaultMultipliers, planUNet, type UNetOptions } from "../../models/unet/options.ts";
import type { StateEntry } from "../../stateDict.ts";
import { LayoutBuilder, type StateLayout } from "./layout.ts";

/** What `new UNet(options)` has as its state. */
export function unetLayout(options: UNetOptions): StateLayout {
  const { inChannels, baseChannels, levels, attentionFactors, blocksPerLevel } = planUNet(options);
  const builder = new UNetLayoutBuilder(4 * baseChannels);
  const [first] = levels as [number];
  const deepest = levels.at(-1)!;
  builder.layer("time_embedding.1", 4 * baseChannels, baseChannels);
  builder.layer("time_embedding.3", 4 * baseChannels, 4 * baseChannels);
  builder.layer("down.0.0", first, inChannels, [3, 3]);
  const skips = [first];
  let channels = first;
  for (const [level, outputs] of levels.entries()) {
    for (let block = 0; block < blocksPerLevel; block++) {
      builder.stage(`down.${skips.length}`, channels, outputs, attentionFactors.has(2 ** level));
      channels = outputs;
      skips.push(channels);
    }
    if (level < levels.length - 1) {
      builder.residual(`down.${skips.length}.0`, channels, channels);
      skips.push(channels);
    }
  }
  builder.residual("middle.0", deepest, deepest);
  builder.attention("middle.1", deepest);
  builder.residual("middle.2", deepest, deepest);
  let up = 0;
  for (const [level, outputs] of [...levels.entries()].reverse()) {
    for (let block = 0; block <= blocksPerLevel; block++) {
      const inside = builder.stage(
        `up.${up}`,
        channels + skips.pop()!,
        outputs,
        attentionFactors.has(2 ** level),
      );
      channels = outputs;
      if (level > 0 && block === blocksPerLevel) builder.residual(`up.${up}.${inside}`, channels, channels);
      up++;
    }
  }
  builder.layer("out.0", first);
  builder.layer("out.2", inChannels, first, [3, 3]);
  return builder.layout;
}

class UNetLayoutBuilder extends LayoutBuilder {
  readonly #timeFeatures: number;

  constructor(timeFeatures: number) {
    super();
    this.#timeFeatures = timeFeatures;
  }

  residual(name: string, inputs: number, outputs: number): void {
    this.layer(`${name}.in_layers.0`, inputs);
    this.layer(`${name}.in_layers.2`, outputs, inputs, [3, 3]);
    this.layer(`${name}.embed_layers.1`, outputs, this.#timeFeatures);
    this.layer(`${name}.out_layers.0`, outputs);
    this.layer(`${name}.out_layers.3`, outputs, outputs, [3, 3]);
    if (inputs !== outputs) this.layer(`${name}.skip_connection`, outputs, inputs, [1, 1]);
  }

  attention(name: string, channels: number): void {
    this.layer(`${name}.norm`, channels);
    this.layer(`${name}.to_qkv`, 3 * channels, channels, [1]);
    this.layer(`${name}.proj_out`, channels, channels, [1]);
  }

  /** A residual block and, where the level has it, attention; returns the number of layers. */
  stage(name: string, inputs: number, outputs: number, attends: boolean): number {
    this.residual(`${name}.0`, inputs, outputs);
    if (attends) this.attention(`${name}.1`, outputs);
    return attends ? 2 : 1;
  }
}

/** What the shapes of a UNet's weights say about it. Heads and dropout leave no trace in them. */
export interface RecognisedUNet {
  /** Channels of the image. */
  readonly inChannels: number;
  /** Channels that the multipliers multiply. */
  readonly baseChannels: number;
  /** One for each level, the largest image first. */
  readonly channelMultipliers: readonly number[];
  /** Residual blocks of a level on the way down. */
  readonly blocksPerLevel: number;
  /** Downsampling factors of the levels that have attention. */
  readonly attentionFactors: readonly number[];
  /** Size of images of the published network of these levels and factors, if it is one. */
  readonly imageSize: number | undefined;
}

/** The UNet that a state dict is of, or undefined where it is of something else. */
export function recogniseUNet(dict: ReadonlyMap<string, StateEntry>): RecognisedUNet | undefined {
  const shape = (name: string): readonly number[] | undefined => dict.get(`${name}.weight`)?.shape;
  const baseChannels = shape("time_embedding.1")?.[1];
  const inChannels = shape("down.0.0")?.[1];
  if (!baseChannels || inChannels === undefined) return undefined;
  const levels = levelsOf(shape);
  const [first] = levels;
  if (!first || first.blocks === 0) return undefined;
  const channelMultipliers = levels.map(({ channels }) => channels / baseChannels);
  const attentionFactors = levels.flatMap(({ attends }, level) => (attends ? [2 ** level] : []));
  return {
    inChannels,
    baseChannels,
    channelMultipliers,
    blocksPerLevel: first.blocks,
    attentionFactors,
    imageSize: publishedSize(channelMultipliers, attentionFactors),
  };
}

interface Level {
  blocks: number;
  channels: number;
  attends: boolean;
}

/** The levels of the way down. How many blocks each has is seen on the way up, where the last of a level is followed by another. */
function levelsOf(shape: (name: string) => readonly number[] | undefined): Level[] {
  const perLevel = stagesOfDeepest(shape) - 1;
  const levels: Level[] = [];
  for (let stage = 1; perLevel > 0 && shape(`down.${stage}.0.in_layers.2`); stage += perLevel + 1) {
    levels.push({
      blocks: perLevel,
      channels: shape(`down.${stage}.0.in_layers.2`)![0]!,
      attends: shape(`down.${stage}.1.to_qkv`) !== undefined,
    });
  }
  return levels;
}

/** Stages of the way up until the first that doubles the size: one more than the blocks of a level on the way down. */
function stagesOfDeepest(shape: (name: string) => readonly number[] | undefined): number {
  for (let stage = 0; shape(`up.${stage}.0.in_layers.2`); stage++) {
    const last = shape(`up.${stage}.1.to_qkv`) ? 2 : 1;
    if (shape(`up.${stage}.${last}.in_layers.2`)) return stage + 1;
  }
  // One level: nothing doubles.
  let stages = 0;
  while (shape(`up.${stages}.0.in_layers.2`)) stages++;
  return stages;
}

function publishedSize(multipliers: readonly number[], factors: readonly number[]): number | undefined {
  const sizes = Object.keys(defaultMultipliers).map(Number);
  return sizes.find((size) => {
    const { levels, attentionFactors } = planUNet({ imageSize: size });
    const inside = [...attentionFactors].filter((factor) => factor < 2 ** levels.length);
    return (
      defaultMultipliers[size]!.join() === multipliers.join() &&
      inside.sort((a, b) => a - b).join() === factors.join()
    );
  });
}
