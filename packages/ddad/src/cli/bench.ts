/** `ddad bench`: what a model costs on this machine, measured, and how long its training will take. */
import { type Device, setupDevice, tune } from "@ddad/nn";
import { mergeConfig } from "../config/settings.ts";
import { type Config, parseConfig } from "../config.ts";
import { ConfigError, DataError } from "../errors.ts";
import type { Model } from "../modelFile.ts";
import { formatTable } from "../report/results.ts";
import {
  benchPatchCore,
  benchReconstruction,
  benchTraining,
  type InspectionCost,
  type Timing,
  type TrainingCost,
} from "./benchModel.ts";
import { type ModelOptions, openModel } from "./model.ts";
import { askedBy, type ConfigOptions } from "./settings.ts";
import { formatDuration, printResult, say } from "./terminal.ts";
import { tuneAloud } from "./tune.ts";

export type BenchOptions = ConfigOptions &
  ModelOptions & { readonly repetitions: number; readonly tune?: boolean; readonly json?: boolean };

export async function runBench(options: BenchOptions): Promise<void> {
  const { repetitions } = options;
  const { config, model } = await subjectOf(options);
  const device = await setupDevice();
  const prepare = options.tune
    ? (inspectOnce: () => Promise<void>) => tuneAloud((how) => tune(inspectOnce, how))
    : undefined;
  say(`measuring on ${device.name}, after a warm-up; what takes long is repeated less often`);
  const inspection =
    config.method === "patchcore"
      ? await benchPatchCore(model!, config, repetitions, prepare)
      : await benchReconstruction(config, repetitions, prepare);
  const training = config.method === "patchcore" ? null : await benchTraining(config, repetitions);
  const result = {
    adapter: device.name,
    class: device.capabilities.adapterClass,
    protocol: config.protocol,
    method: config.method,
    imageSize: config.data.imageSize,
    features: config.features.network,
    ...inspection,
    training,
  };
  printResult(options.json, result, describe(device, config, inspection, training));
}

/** The configuration that was asked for, and its model where there is one. */
async function subjectOf(options: BenchOptions): Promise<{ config: Config; model?: Model }> {
  if (options.checkpoint !== undefined) return openModel(options, options);
  const asked = askedBy(options);
  if (Object.keys(asked).length === 0) {
    throw new ConfigError([
      "Nothing says what to measure: give --checkpoint <run>, --preset <name> (ddad presets lists them), --config <file> or --set.",
    ]);
  }
  // No picture is read: generated ones cost the same.
  const config = parseConfig(mergeConfig({ data: { root: "." } }, asked));
  if (config.method === "patchcore") {
    throw new DataError("What PatchCore costs depends on its bank: give a model by --checkpoint.");
  }
  return { config };
}

function describe(
  device: Device,
  config: Config,
  { call, reconstruction, inspection, bytes }: InspectionCost,
  training: TrainingCost | null,
): string {
  const { imageSize } = config.data;
  const row = (what: string, { ms, repetitions }: Timing, details: string): string[] => [
    what,
    String(Number(ms.toPrecision(4))),
    String(repetitions),
    details,
  ];
  const compared = config.features.network === "none" ? "pixels only" : config.features.network;
  const step = training?.step;
  const rows = [
    ...(call
      ? [
          row(
            "one call of the network",
            call,
            `${call.gflop.toPrecision(3)} GFLOP, ${call.gflops.toFixed(0)} GFLOP/s`,
          ),
        ]
      : []),
    ...(reconstruction ? [row("one reconstruction", reconstruction, `calls: ${reconstruction.calls}`)] : []),
    row("one inspection", inspection, compared),
    ...(step
      ? [
          row(
            "one training step",
            step,
            `batch ${step.batchSize}, ${step.microBatch} at a time: ${step.imagesPerSecond.toPrecision(3)} pictures/s`,
          ),
        ]
      : []),
  ];
  const used = [`inspection ${formatBytes(bytes)}`, ...(step ? [`training ${formatBytes(step.bytes)}`] : [])];
  return [
    `${config.method}, ${config.protocol} protocol, ${imageSize} × ${imageSize} pixels, on ${device.name}`,
    "",
    formatTable(["one picture, unless it says more", "ms (median)", "times", ""], rows),
    "",
    `buffers on the device: ${used.join(", ")}`,
    ...(training?.notices ?? []),
    ...(training?.problem === undefined ? [] : [`training cannot be measured: ${training.problem}`]),
    ...(training?.seconds === undefined
      ? []
      : [
          `training, ${training.steps} steps: about ${formatDuration(training.seconds)}, without reading pictures and looks at held-out ones`,
        ]),
  ].join("\n");
}

const formatBytes = (bytes: number): string =>
  bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(2)} GiB`;
