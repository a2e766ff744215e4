/** Files of torch.save (.pth, .pt, .ckpt), read without executing anything. */
import { checkOptions } from "@ddad/tensor/internal";
import { withoutModulePrefix } from "../../stateDict.ts";
import { Checkpoint } from "../checkpoint.ts";
import { checkBytes } from "../safetensors.ts";
import { chooseTensors, type LeftOut } from "./choose.ts";
import { readLegacy } from "./legacy.ts";
import { readTensors } from "./tensors.ts";
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
   * @param entries name and array of each weight
   * @param about where they were found, and what else the file holds
   */
  constructor(
    entries: ConstructorParameters<typeof Checkpoint>[0],
    about: Pick<PyTorchCheckpoint, "container" | "entry" | "leftOut">,
  ) {
    super(entries, {});
    this.container = about.container;
    this.entry = about.entry;
    this.leftOut = about.leftOut;
  }
}

/** Whether bytes start like a file of torch.save: a zip archive, or the instruction that starts a pickle. */
export const isPyTorch = (bytes: Uint8Array): boolean =>
  (bytes[0] === 0x50 && bytes[1] === 0x4b) || bytes[0] === 0x80;

/**
 * Reads a file of torch.save in either container. Only tensors and plain containers are accepted; anything else that a file
 * names (classes, functions) is refused, as are quantised, sparse, complex and big-endian tensors.
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
  const { entry } = checkOptions("readPyTorch", options, ["entry"]);
  checkBytes("readPyTorch", bytes);
  const archive = bytes[0] === 0x80 ? readLegacy(bytes) : readZip(bytes);
  const choice = chooseTensors(archive.root, entry);
  const tensors = readTensors(choice.tensors, archive, bytes.length);
  return new PyTorchCheckpoint(withoutModulePrefix(tensors), {
    container: archive.container,
    entry: choice.entry,
    leftOut: choice.leftOut,
  });
}
