/** `ddad bench`: what a model costs on this machine, measured, and how long its training will take. */
import {
  type Config,
  ConfigError,
  formatTable,
  type Model,
  mergeConfig,
  parseConfig,
} from "@ddad/ddad/internal";
import {
  type BenchResult,
  benchModel,
  formatDuration,
  openModel,
  type Timing,
  type TrainingCost,
} from "@ddad/node/internal";
import type { ModelOptions } from "./checkpoint.ts";
import { eventPrinter } from "./events.ts";
import { untilInterrupted } from "./interrupt.ts";
import { askedBy, type ConfigOptions } from "./settings.ts";
import { printResult, repeatedCommand } from "./terminal.ts";

export type BenchOptions = ConfigOptions &
  ModelOptions & { readonly repetitions: number; readonly tune?: boolean; readonly json?: boolean };

export async function runBench(options: BenchOptions): Promise<void> {
  const { repetitions, tune } = options;
  const result = await untilInterrupted(
    async (signal) => {
      const subject = await subjectOf(options);
      return benchModel(subject, { repetitions, tune, signal, onEvent: eventPrinter() });
    },
    {
      saving: "discarding the measurement",
      stopped: () =>
        `Stopped. ${tune ? "Only the choices of the kernels measured so far are saved" : "Nothing is saved"}. Run this command to measure again: ${repeatedCommand()}`,
    },
  );
  if (result !== undefined) printResult(options.json, result, describe(result));
}

/** The configuration that was asked for, and its model where there is one. */
async function subjectOf(options: BenchOptions): Promise<{ config: Config; model?: Model }> {
  if (options.checkpoint !== undefined) return openModel(options.checkpoint, askedBy(options));
  const asked = askedBy(options);
  if (Object.keys(asked).length === 0) {
    throw new ConfigError([
      "ddad bench needs a model or settings, but got neither: pass --checkpoint PATH, --preset NAME (ddad presets lists them), --config FILE or --set KEY=VALUE.",
    ]);
  }
  // No image is read: generated ones cost the same.
  return { config: parseConfig(mergeConfig({ data: { root: "." } }, asked)) };
}

/** A row of the table. */
const row = (what: string, { ms, repetitions }: Timing, details: string): string[] => [
  what,
  String(Number(ms.toPrecision(4))),
  String(repetitions),
  details,
];

function describe({ call, reconstruction, inspection, training, bytes, ...of }: BenchResult): string {
  const compared = of.features === "none" ? "pixels only" : of.features;
  const step = training?.step;
  const rows = [
    ...(call ? [row("one forward pass", call, speedOf(call))] : []),
    ...(reconstruction
      ? [row("one reconstruction", reconstruction, `sampling steps: ${reconstruction.steps}`)]
      : []),
    row("one inspection", inspection, compared),
    ...(step ? [row("one training step", step, batchOf(step))] : []),
  ];
  const used = [`inspection ${formatBytes(bytes)}`, ...(step ? [`training ${formatBytes(step.bytes)}`] : [])];
  return [
    `${of.method}, ${of.protocol} protocol, ${of.imageSize} × ${of.imageSize} pixels, on ${of.adapter}`,
    "",
    formatTable(["one image, unless it says more", "ms (median)", "times", ""], rows),
    "",
    `buffers on the device: ${used.join(", ")}`,
    ...(training?.notices ?? []),
    ...(training?.problem === undefined ? [] : [`training cannot be measured: ${training.problem}`]),
    ...(training?.seconds === undefined
      ? []
      : [
          `training, ${training.steps} steps: about ${formatDuration(training.seconds)}, without reading images and without validation`,
        ]),
  ].join("\n");
}

const speedOf = ({ gflop, gflops }: NonNullable<BenchResult["call"]>): string =>
  `${gflop.toPrecision(3)} GFLOP, ${gflops.toFixed(0)} GFLOP/s`;

const batchOf = ({ batchSize, microBatch, imagesPerSecond }: NonNullable<TrainingCost["step"]>): string =>
  `batch ${batchSize}, ${microBatch} at a time: ${imagesPerSecond.toPrecision(3)} images/s`;

const formatBytes = (bytes: number): string =>
  bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(2)} GiB`;
