/** Files of torch.save (.pth, .pt, .ckpt), read without executing anything. */
import { checkOptions } from "@ddad/tensor/internal";
import { CheckpointError } from "../../errors.ts";
import { withoutModulePrefix } from "../../stateDict.ts";
import { type ByteSource, memorySource } from "../byteSource.ts";
import { Checkpoint } from "../checkpoint.ts";
import { foreignFile } from "../foreign.ts";
import { chooseTensors, type LeftOut } from "./choose.ts";
import { readLegacy } from "./legacy.ts";
import { readTensors } from "./tensors.ts";
import type { OpaqueValue } from "./walker.ts";
import { readZip } from "./zip.ts";

/** The weights of a file that torch.save wrote, and what else was there. */
export class PyTorchCheckpoint extends Checkpoint {
  /** `zip` since PyTorch 1.6, `legacy` before. */
  readonly container: "zip" | "legacy";
  /** Dotted path of the dict that the weights come from; "" where the whole file is the dict. */
  readonly entry: string;
  /** What the file holds beside that dict, such as an optimiser's state or the epoch. */
  readonly leftOut: readonly LeftOut[];
  /**
   * Values of classes that this library does not know, such as settings in an `argparse.Namespace`. Nothing of them is read or
   * executed. The first 1000 are listed.
   */
  readonly opaque: readonly OpaqueValue[];

  /**
   * @param entries name and array of each weight
   * @param about where they were found, and what else the file holds
   */
  constructor(
    entries: ConstructorParameters<typeof Checkpoint>[0],
    about: Pick<PyTorchCheckpoint, "container" | "entry" | "leftOut" | "opaque" | "unreadable">,
  ) {
    super(entries, {}, about.unreadable);
    this.container = about.container;
    this.entry = about.entry;
    this.leftOut = about.leftOut;
    this.opaque = about.opaque;
  }
}

const isZip = (bytes: Uint8Array): boolean => bytes[0] === 0x50 && bytes[1] === 0x4b;

/** Whether bytes start like a file of torch.save: a zip archive, or the instruction that starts a pickle. */
export const isPyTorch = (bytes: Uint8Array): boolean => isZip(bytes) || bytes[0] === 0x80;

/**
 * Reads a file of torch.save in either container. Values of unknown classes beside the weights are listed as `opaque`;
 * nothing is executed. Complex, quantised and sparse tensors are listed as `unreadable`, and refused when they are used;
 * big-endian files are refused.
 *
 * Scripts save weights in different ways: a state dict itself, or one beside the optimiser and the epoch. Without `entry`,
 * the dict is taken that lies under `state_dict`, `model_state_dict`, `model_state`, `model`, `net`, `network`, `weights` or
 * `module` (the first there is, repeatedly), or the only one that holds tensors. Deeper dicts and lists give dotted names. A
 * prefix `module.` is dropped where every name has it.
 *
 * @param options `entry`: dotted path of the dict to take instead, such as `ema`
 * @throws CheckpointError with a sentence, UsageError for what is not bytes
 */
export function readPyTorch(
  bytes: Uint8Array,
  options: { readonly entry?: string | undefined } = {},
): PyTorchCheckpoint {
  checkOptions("readPyTorch", options, ["entry"]);
  return readPyTorchFrom(memorySource("readPyTorch", bytes), options);
}

/** The same from any source; the arrays of one that is not in memory are read when they are first used. */
export function readPyTorchFrom(
  source: ByteSource,
  { entry }: { readonly entry?: string | undefined } = {},
): PyTorchCheckpoint {
  const head = source.view(0, Math.min(source.size, 512));
  const foreign = isPyTorch(head) ? undefined : foreignFile(head, source.size);
  if (foreign !== undefined) throw new CheckpointError(foreign);
  const archive = isZip(head) ? readZip(source) : readLegacy(source);
  const choice = chooseTensors(archive.root, entry);
  const { entries, unreadable } = readTensors(choice.tensors, archive, source);
  const named = withoutModulePrefix(entries);
  const dropped = named === entries ? 0 : "module.".length;
  return new PyTorchCheckpoint(named, {
    container: archive.container,
    entry: choice.entry,
    leftOut: choice.leftOut,
    opaque: choice.opaque,
    unreadable: unreadable.map((tensor) => ({ ...tensor, name: tensor.name.slice(dropped) })),
  });
}
