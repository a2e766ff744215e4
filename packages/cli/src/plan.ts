/** Before `ddad run`: how long it takes on this machine, and a quick look where nothing says how large or long it shall be. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Config, type ConfigRecord, costOf, parseStoredConfig } from "@ddad/ddad/internal";
import { setupDevice } from "@ddad/nn";
import {
  AdapterSpeed,
  countRunImages,
  estimateRun,
  formatDuration,
  leavesSizeOpen,
  planQuickLook,
  readConfigFile,
} from "@ddad/node/internal";
import { changedCommand, say } from "./terminal.ts";

/** What `ddad run` was asked for. */
export type RunRequest = {
  /** Settings that were given, and the complete configuration that they make, of the first category. */
  readonly asked: ConfigRecord;
  readonly config: Config;
  /** The folder that was given, and the one that a full run has without it. */
  readonly out: string | undefined;
  readonly usual: string;
  readonly categories: readonly (string | undefined)[];
  readonly quick: boolean;
  readonly full: boolean;
  readonly overwrite: boolean;
  readonly signal: AbortSignal;
};

/** How a run goes about its work. */
export type RunPlan = {
  readonly folder: string;
  /** The configuration of a category, from the one that was asked for. */
  configFor(category: string | undefined, asked: Config): Config;
  /** What to say at the end of a quick look: how to continue. */
  readonly next?: string;
};

/** Seconds up to which a full run is short enough to need no quick look before it. */
const short = 600;

const day = 86_400;

/** Operations of a training, in 1e9, below which no time is spent on an estimate: a minute on slow adapters. */
const negligible = 500;

/** Decides on the folder and the settings of a run, and says how long it takes. */
export async function planRun(request: RunRequest): Promise<RunPlan> {
  const { config, out, usual, quick, full, overwrite } = request;
  const open = config.method === "ddad" && (quick || (!full && leavesSizeOpen(request.asked)));
  if (!open) {
    const folder = out ?? usual;
    if (overwrite || !hasRun(folder, request.categories)) await sayEstimate(request);
    return { folder, configFor: (_, asked) => asked };
  }
  const quickFolder = out ?? `${usual}-quick`;
  const begun = [...(quick ? [] : [out ?? usual]), quickFolder].find((folder) =>
    hasRun(folder, request.categories),
  );
  if (begun !== undefined && !overwrite) return { folder: begun, configFor: storedIn(begun) };
  return planFresh(request, begun ?? quickFolder);
}

const configPath = (folder: string, category: string | undefined): string =>
  join(folder, category ?? "", "config.yaml");

const hasRun = (folder: string, categories: readonly (string | undefined)[]): boolean =>
  categories.some((category) => existsSync(configPath(folder, category)));

/** The settings that a run in a folder began with, at the data set that is named now. */
const storedIn =
  (folder: string): RunPlan["configFor"] =>
  (category, asked) => {
    const path = configPath(folder, category);
    if (!existsSync(path)) return asked;
    say(`settings of the run in ${folder}: ${path}`);
    const stored = parseStoredConfig(readConfigFile(path));
    return { ...stored, data: { ...stored.data, root: asked.data.root } };
  };

/** A quick look, unless the full run is short. */
async function planFresh(request: RunRequest, quickFolder: string): Promise<RunPlan> {
  const { asked, config, out, usual, quick, categories, signal } = request;
  await setupDevice();
  const counts = countRunImages(config);
  const speed = new AdapterSpeed();
  const whole = await estimateRun(config, counts, speed, { signal });
  const times = (seconds: number): string => formatDuration(seconds * categories.length);
  say(
    `The full run (${describe(config)}) takes about ${times(whole)} on this machine, by the speed of a few layers.`,
  );
  if (!quick && whole <= short) return { folder: out ?? usual, configFor: (_, its) => its };
  const look = await planQuickLook(asked, counts, speed, { signal });
  say(
    `Quick look instead: ${describe(look.config)}, about ${times(look.seconds)}. --full starts the full run.`,
  );
  const command = changedCommand(
    ["--quick", "--overwrite"],
    ["--out"],
    ["--full", ...(out === undefined ? [] : ["--out", `${out}-full`])],
  );
  return {
    folder: quickFolder,
    configFor: (_, its) => ({ ...look.config, data: { ...look.config.data, ...categoryOf(its) } }),
    next:
      `This was a quick look (${describe(look.config)}): it shows how the program works, but its decisions are not reliable yet.\n` +
      `The full run takes about ${times(whole)} on this machine:\n  ${command}`,
  };
}

const categoryOf = ({ data }: Config): Partial<Config["data"]> =>
  data.category === undefined ? {} : { category: data.category };

const describe = ({ data, training }: Config): string =>
  `${data.imageSize} × ${data.imageSize} pixels, ${training.steps} steps of ${training.batchSize} images`;

/** Says how long a run with settings of its own takes, unless it is over in a moment. */
async function sayEstimate({ config, categories, signal }: RunRequest): Promise<void> {
  if (config.method !== "ddad" || costOf(config).gflopOfTraining < negligible) return;
  await setupDevice();
  const seconds =
    categories.length * (await estimateRun(config, countRunImages(config), new AdapterSpeed(), { signal }));
  say(
    `This run (${describe(config)}) takes about ${formatDuration(seconds)} on this machine, by the speed of a few layers.`,
  );
  if (seconds <= day) return;
  const command = changedCommand(
    ["--full", "--overwrite"],
    ["--out", "--config", "--preset", "--set"],
    ["--quick"],
  );
  say(
    `That is longer than a day. Ctrl-C saves what is done, and the same command resumes. For a first result in a few minutes: ${command}`,
  );
}
