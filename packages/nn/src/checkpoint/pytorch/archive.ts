/** What both containers of torch.save give. */
import type { PickleValue } from "./values.ts";

export interface Archive {
  readonly container: "zip" | "legacy";
  /** The object that was saved. */
  readonly root: PickleValue;
  /** A copy of bytes of the storage `key`, in a buffer of its own, so that arrays of any type can view it. */
  storageBytes(key: string, start: number, end: number): Uint8Array<ArrayBuffer>;
}
