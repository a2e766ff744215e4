/** What both containers of torch.save give. */
import type { PickleValue } from "./values.ts";

export interface Archive {
  readonly container: "zip" | "legacy";
  /** The object that was saved. */
  readonly root: PickleValue;
  /** The bytes of storages by key. Each array fills a buffer of its own, so that arrays of other types can view it. */
  storages(keys: ReadonlySet<string>): Map<string, Uint8Array<ArrayBuffer>>;
}
