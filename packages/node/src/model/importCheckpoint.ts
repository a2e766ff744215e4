/** Checkpoints of PyTorch as models. */
import { type ConfigRecord, DataError, type Protocol } from "@ddad/ddad/internal";
import {
  type Checkpoint,
  CheckpointError,
  PyTorchCheckpoint,
  readCheckpoint,
  type StateDict,
} from "@ddad/nn";
import { matchLayout, underPrefix } from "@ddad/nn/internal";
import { writeWhole } from "../files.ts";
import { asExtractor, asUNet, checkKind, type Network } from "./importNetwork.ts";

/** Options of `importCheckpoint`. */
export interface ImportCheckpointOptions {
  /** `unet`, or a name of torchvision's. Default: recognised by the shapes. */
  readonly kind?: string | undefined;
  /** Dotted path of the weights, where the file holds several. */
  readonly entry?: string | undefined;
  /** File of a feature extractor to store with a UNet. */
  readonly extractor?: string | undefined;
  /** Settings that the shapes do not tell. */
  readonly asked?: ConfigRecord | undefined;
  /** Called with what was found in each file, also where it then cannot be used. */
  readonly onReport?: ((report: ImportReport) => void) | undefined;
}

/** What was found in the file, in that of the extractor, and where it is now. */
export type ImportResult = ImportReport & { extractor?: ImportReport; out: string };

/** Names are those in the file, without `prefix`. */
export type ImportReport = {
  file: string;
  /** Container of the file. */
  format: "zip" | "legacy" | "safetensors";
  /** Dotted path of the dict that was taken; "" is the whole file. */
  entry: string;
  /** What stood before every name of the network, such as `model.`. */
  prefix: string;
  kind: string;
  /** Tensors found in the dict. */
  found: number;
  /** Tensors written, and how many values they have. */
  matched: number;
  parameters: number;
  /** In the file, but not of this network: not written. */
  skipped: string[];
  /** Of this network, but not in the file. Only what no feature needs may be missing. */
  missing: string[];
  /** What the file holds beside the dict, such as an optimiser. */
  leftOut: { path: string; tensors: number }[];
  /** Values of classes that are not known, such as `argparse.Namespace`: not read. */
  opaque: { path: string; type: string }[];
  /** Of the model that a UNet becomes: `strict` unless settings say otherwise. */
  protocol?: Protocol;
  /** Settings that shapes do not tell and nobody gave. */
  assumed: string[];
};

/**
 * Turns a checkpoint of PyTorch's into a file that the other commands read.
 *
 * @param file .pth, .pt, .ckpt or .safetensors
 * @param out model to write, .safetensors
 * @returns what was recognised, and the model
 * @throws DataError where `out` has another ending
 * @throws CheckpointError where the file holds no network that is known, or not a whole one
 */
export async function importCheckpoint(
  file: string,
  out: string,
  options: ImportCheckpointOptions = {},
): Promise<ImportResult> {
  if (!out.endsWith(".safetensors")) {
    throw new DataError(`${out} must end in .safetensors, which is what is written.`);
  }
  checkKind(options.kind);
  const main = await examine(file, options);
  const { extractor: extractorFile, onReport } = options;
  const extractor =
    extractorFile === undefined ? undefined : await examine(extractorFile, { kind: "extractor", onReport });
  if (extractor && main.network.kind !== "unet") {
    throw new DataError(
      `An extractor is stored with a UNet, but ${file} holds ${main.network.kind}; leave the extractor out.`,
    );
  }
  const stored = extractor && { network: extractor.network.kind, weights: extractor.weights };
  writeWhole(out, main.network.encode(main.weights, stored));
  return { ...main.report, ...(extractor && { extractor: extractor.report }), out };
}

/** Reads a file, reports what is in it, and throws unless it is a whole network. */
async function examine(
  file: string,
  options: ImportCheckpointOptions,
): Promise<{ network: Network; weights: StateDict; report: ImportReport }> {
  const { entry, kind, asked = {}, onReport } = options;
  const checkpoint = await readCheckpoint(file, { entry });
  const { prefix, isUNet } = findNetwork(checkpoint, file, kind);
  const own = underPrefix(checkpoint, prefix);
  const network = isUNet ? asUNet(own, asked, file) : asExtractor(own, kind, file);
  const { matched, missing, unknown, reshaped } = matchLayout(own, network.layout);
  const weights: StateDict = new Map(matched.map((name) => [name, own.get(name)!]));
  const others = [...checkpoint.keys()].filter((name) => !name.startsWith(prefix));
  const report: ImportReport = {
    file,
    ...sourceOf(checkpoint, entry),
    prefix,
    kind: network.kind,
    found: checkpoint.size,
    matched: matched.length,
    parameters: [...weights.values()].reduce((sum, { data }) => sum + data.length, 0),
    skipped: [...unknown, ...others],
    missing,
    ...(network.protocol && { protocol: network.protocol }),
    assumed: network.assumed,
  };
  onReport?.(report);
  checkComplete(network, missing, own, reshaped, file);
  return { network, weights, report };
}

function sourceOf(
  checkpoint: Checkpoint,
  asked: string | undefined,
): Pick<ImportReport, "format" | "entry" | "leftOut" | "opaque"> {
  if (!(checkpoint instanceof PyTorchCheckpoint)) {
    return { format: "safetensors", entry: asked ?? "", leftOut: [], opaque: [] };
  }
  const { container, entry, leftOut, opaque } = checkpoint;
  return { format: container, entry, leftOut: [...leftOut], opaque: [...opaque] };
}

/** A name that each kind of network has, and no other. */
const marks = { unet: "time_embedding.1.weight", extractor: "layer1.0.conv1.weight" };

/** Where in a dict the names of the network start. */
function findNetwork(
  checkpoint: Checkpoint,
  file: string,
  kind: string | undefined,
): { prefix: string; isUNet: boolean } {
  const ends = (mark: string): string[] =>
    [...checkpoint.keys()].filter((name) => name === mark || name.endsWith(`.${mark}`));
  const found = [
    ...ends(marks.unet).map((name) => ({ prefix: name.slice(0, -marks.unet.length), isUNet: true })),
    ...ends(marks.extractor).map((name) => ({
      prefix: name.slice(0, -marks.extractor.length),
      isUNet: false,
    })),
  ].filter(({ isUNet }) => kind === undefined || isUNet === (kind === "unet"));
  if (found.length === 1) return found[0]!;
  if (found.length === 0) {
    const names = [...checkpoint.keys()].slice(0, 4).join(", ");
    throw new CheckpointError(
      `${file} holds ${kind === undefined ? "neither the UNet of DDAD nor a ResNet" : `no ${kind}`}: its names are ${names}, …`,
    );
  }
  const places = found.map(({ prefix, isUNet }) => `${isUNet ? "a UNet" : "a ResNet"} under "${prefix}"`);
  throw new CheckpointError(
    `${file} holds ${places.join(" and ")}; choose one with the kind (--kind) or the entry (--entry).`,
  );
}

function checkComplete(
  { kind, needed }: Network,
  missing: readonly string[],
  own: StateDict,
  reshaped: readonly string[],
  file: string,
): void {
  const absent = missing.filter((name) => needed.has(name));
  const problems = [
    ...(absent.length > 0 ? [`lacks ${some(absent)}`] : []),
    ...reshaped.map((name) => `has ${name} as [${own.get(name)!.shape.join(", ")}]`).slice(0, 5),
  ];
  if (problems.length === 0) return;
  throw new CheckpointError(
    `${file} does not fit ${kind}: it ${problems.join(", ")}. If the network was built with other options, give them with --set or --config.`,
  );
}

/** Names, or the first of many. */
export function some(names: readonly string[]): string {
  const most = 4;
  const rest = names.length > most ? `, … (${names.length} in all)` : "";
  return names.slice(0, most).join(", ") + rest;
}
