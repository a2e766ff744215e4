/** Fitting the state dict of a whole ResNet to a network that is built only in part. */
import type { AnyVariable } from "@ddad/tensor";
import { type StateDict, type StateEntry, withoutModulePrefix } from "../../stateDict.ts";
import type { FeatureName } from "./options.ts";

/** Changes that made a state dict fit. */
export interface PretrainedReport {
  /** Entries of layers that this network does not build: not used. */
  readonly leftOut: string[];
  /** Batch counters that the dict lacks, set to 0. PyTorch does the same with files written before it counted. */
  readonly filled: string[];
}

/**
 * The entries for a network with the variables `own`. Only what lies behind `lastLayer` is left out: a name that is unknown
 * in the layers built stays, so that loading reports it.
 */
export function selectPretrained(
  dict: ReadonlyMap<string, StateEntry>,
  own: ReadonlyMap<string, AnyVariable>,
  lastLayer: FeatureName | undefined,
): PretrainedReport & { readonly state: StateDict } {
  const given = withoutModulePrefix(dict);
  const isBehind = (name: string): boolean => {
    const [part] = name.split(".") as [string];
    return (
      lastLayer !== undefined &&
      (part === "fc" || part === "bn_last" || (/^layer\d$/.test(part) && part > lastLayer))
    );
  };
  const leftOut = [...given.keys()].filter((name) => !own.has(name) && isBehind(name));
  const filled = [...own.keys()].filter((name) => name.endsWith("num_batches_tracked") && !given.has(name));
  const state: StateDict = new Map([...given].filter(([name]) => !leftOut.includes(name)));
  for (const name of filled) state.set(name, { shape: [], dtype: "i64", data: new BigInt64Array(1) });
  return { state, leftOut, filled };
}
