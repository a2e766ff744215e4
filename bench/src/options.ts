/** What the command line asks for. */
import { parseArgs } from "node:util";

export const sections = ["kernels", "layers", "engine"] as const;
export type Section = (typeof sections)[number];

export interface Options {
  /** Only cases whose name contains this text (any case). */
  readonly filter: string;
  /** Where results are written, if anywhere. */
  readonly json: string | undefined;
  /** Fewer and shorter samples, and none of the largest sizes. */
  readonly quick: boolean;
  /** Also report the time of each kernel in a layer. */
  readonly profile: boolean;
  /** Layers: measure the variants of their kernels first, and run the fastest. */
  readonly tune: boolean;
  /** Kernels: also the variants that only tuning tries. */
  readonly allVariants: boolean;
  readonly sections: ReadonlySet<Section>;
  /** Nothing but starts with an empty shader cache. */
  readonly cold: boolean;
  /** Those in a browser. */
  readonly browser: boolean;
}

export const usage = `npm run bench -- [options]

  --kernels --layers --engine   only these parts (default: all)
  --cold                        what programs cost when they are started with an empty shader cache, and nothing else
  --browser                     with --cold: in headless Chromium, each program in a new profile
  --filter TEXT                 only cases whose name contains TEXT
  --quick                       fewer and shorter samples, none of the largest sizes; cold starts without costs by kernel
  --variants all                kernels: also the variants that only tuning tries
  --tune                        layers: measure the variants of their kernels first, and run the fastest
  --profile                     where the time of each layer goes, by timestamp queries
  --json FILE                   write the results there
  --help`;

/** A command line that makes no sense; the message says why. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Undefined where only help is asked for. Throws UsageError. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const values = read(args);
  if (values.help) return undefined;
  if (values.variants !== undefined && values.variants !== "all")
    throw new UsageError(
      `--variants ${values.variants}: only "all" can be asked for; without it the usual ones run.`,
    );
  if (values.browser && !values.cold)
    throw new UsageError("--browser: only cold starts run in a browser; add --cold.");
  const chosen = sections.filter((section) => values[section]);
  return {
    filter: (values.filter ?? "").toLowerCase(),
    json: values.json,
    quick: values.quick ?? false,
    profile: values.profile ?? false,
    tune: values.tune ?? false,
    allVariants: values.variants === "all",
    sections: new Set(chosen.length ? chosen : sections),
    cold: values.cold ?? false,
    browser: values.browser ?? false,
  };
}

function read(args: readonly string[]) {
  const flag = { type: "boolean" } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        kernels: flag,
        layers: flag,
        engine: flag,
        quick: flag,
        profile: flag,
        tune: flag,
        help: flag,
        cold: flag,
        browser: flag,
        filter: { type: "string" },
        variants: { type: "string" },
        json: { type: "string" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
