/** What kind of network imported weights are of, and what file they become. */

import {
  type Config,
  ConfigError,
  type ConfigRecord,
  encodeModel,
  isRecord,
  mergeConfig,
  type Protocol,
  parseConfig,
  unetOptions,
} from "@ddad/ddad/internal";
import { CheckpointError, type ResNetOptions, resNetSizes, type StateDict, writeSafetensors } from "@ddad/nn";
import {
  nameResNet,
  type RecognisedUNet,
  recogniseResNet,
  recogniseUNet,
  resNetLayout,
  type StateLayout,
  torchvisionNames,
  unetLayout,
} from "@ddad/nn/internal";

export type Network = {
  readonly kind: string;
  readonly layout: StateLayout;
  /** Names that must not be missing. */
  readonly needed: ReadonlySet<string>;
  /** Of a UNet, which a model is made of. */
  readonly protocol?: Protocol;
  /** Settings that shapes do not tell and nobody gave. */
  readonly assumed: string[];
  /** The bytes of the file; a UNet's can hold an extractor, too. */
  encode(
    weights: StateDict,
    extractor?: { readonly network: string; readonly weights: StateDict },
  ): Uint8Array;
};

/** @throws ConfigError for an unknown kind. */
export function checkKind(kind: string | undefined): void {
  if (kind === undefined || kind === "unet" || torchvisionNames.has(kind)) return;
  const kinds = ["unet", ...torchvisionNames.keys()].join(", ");
  throw new ConfigError([`--kind ${kind} is not known; there are ${kinds}.`]);
}

/** The UNet of DDAD: a model for the other commands. Its configuration comes from the shapes and from what is `asked`. */
export function asUNet(dict: StateDict, asked: ConfigRecord, file: string): Network {
  const found = recogniseUNet(dict);
  if (!found)
    throw new CheckpointError(`${file} holds a UNet, but not the one of DDAD: its levels are others.`);
  if (found.inChannels !== 3) {
    throw new CheckpointError(`${file} holds a UNet of ${found.inChannels} channels; images here have 3.`);
  }
  const { config, assumed } = configFor(found, asked);
  const layout = fitting(file, () => unetLayout(unetOptions(config)));
  return {
    kind: "unet",
    layout,
    needed: new Set(layout.keys()),
    protocol: config.protocol,
    assumed,
    encode: (weights, extractor) => {
      if (!extractor) return encodeModel({ config, step: 0, weights });
      const features = { network: extractor.network };
      checkFeatures(asked["features"], extractor.network);
      return encodeModel({
        config: parseConfig({ ...config, features }),
        step: 0,
        weights,
        extractor: extractor.weights,
      });
    },
  };
}

/** What is asked for of the features must be what the extractor beside the UNet is. */
function checkFeatures(asked: unknown, network: string): void {
  const other = Object.entries(isRecord(asked) ? asked : {}).find(
    ([key, value]) => key !== "network" || value !== network,
  );
  if (other === undefined) return;
  throw new ConfigError([
    `features.${other[0]} is ${String(other[1])}, but --extractor gives ${network} and its weights: leave one of the two out.`,
  ]);
}

/** The settings of a model: what the shapes tell, below what is asked for, above the defaults. */
function configFor(found: RecognisedUNet, asked: ConfigRecord): { config: Config; assumed: string[] } {
  const { baseChannels, blocksPerLevel, channelMultipliers, attentionFactors } = found;
  const given = (section: string, key: string): unknown => {
    const values = asked[section];
    return isRecord(values) ? values[key] : undefined;
  };
  const imageSize = given("data", "imageSize") ?? found.imageSize;
  if (imageSize === undefined) {
    throw new ConfigError([
      "The weights do not tell the size of their images: give the side with --set data.imageSize=<pixels>.",
    ]);
  }
  const known = {
    data: { root: ".", imageSize },
    model: {
      variant: baseChannels === 32 ? "ddad-s" : "ddad",
      baseChannels,
      blocksPerLevel,
      ...(typeof imageSize === "number" &&
        imageSize !== found.imageSize && {
          channelMultipliers,
          attentionSizes: attentionFactors.map((factor) => imageSize / factor),
        }),
    },
  };
  const config = parseConfig(mergeConfig(known, asked));
  const { heads, dropout } = config.model;
  const assumed = [
    ...(asked["protocol"] === undefined ? [`protocol=${config.protocol}`] : []),
    ...(given("data", "imageSize") === undefined ? [`data.imageSize=${config.data.imageSize}`] : []),
    ...(given("model", "heads") === undefined ? [`model.heads=${heads}`] : []),
    ...(given("model", "dropout") === undefined ? [`model.dropout=${dropout}`] : []),
  ];
  return { config, assumed };
}

/**
 * A ResNet for features, of this `kind` or, undefined or `extractor`, whichever it is. Only what lies behind layer3 may be
 * missing, and the counters that old files lack.
 */
export function asExtractor(dict: StateDict, kind: string | undefined, file: string): Network {
  const found = recogniseResNet(dict);
  if (!found) throw new CheckpointError(`${file} holds a layer1 but no stem, so it is no ResNet.`);
  const name = nameResNet(found);
  if (kind !== undefined && kind !== "extractor" && name !== kind) {
    throw new CheckpointError(`${file} holds ${name ?? `layers [${found.layers.join(", ")}]`}, not ${kind}.`);
  }
  const named = name === undefined ? undefined : torchvisionNames.get(name);
  const options: ResNetOptions = { ...found, ...(named && resNetSizes[named]) };
  const layout = fitting(file, () => resNetLayout(options));
  const features = options.layers.length > 2 ? resNetLayout({ ...options, lastLayer: "layer3" }) : layout;
  const needed = [...features.keys()].filter((key) => !key.endsWith("num_batches_tracked"));
  return {
    kind: name ?? "resnet",
    layout,
    needed: new Set(needed),
    assumed: [],
    encode: (weights) =>
      writeSafetensors(weights, {
        format: "ddad",
        kind: "extractor",
        architecture: name ?? "resnet",
        options: JSON.stringify(options),
      }),
  };
}

/** Shapes that fit no network at all are the file's fault. */
function fitting(file: string, make: () => StateLayout): StateLayout {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CheckpointError(`${file}: ${error.message}`, { cause: error });
  }
}
