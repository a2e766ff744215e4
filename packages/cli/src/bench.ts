/** `ddad bench`: what a model costs on this machine, measured, and how long its training will take. */
import {
  type Config,
  ConfigError,
  DataError,
  formatTable,
  type Model,
  mergeConfig,
  parseConfig,
} from "@ddad/ddad/internal";
import { type Device, setupDevice, tune } from "@ddad/nn";
import {
  benchPatchCore,
  benchReconstruction,
  benchTraining,
  formatDuration,
  type InspectionCost,
  openModel,
  type Timing,
  type TrainingCost,
  tuneKernels,
} from "@ddad/node/internal";
import type { ModelOptions } from "./checkpoint.ts";
import { eventPrinter } from "./events.ts";
import { askedBy, type ConfigOptions } from "./settings.ts";
import { printResult, say } from "./terminal.ts";

export type BenchOptions = ConfigOptions &
  ModelOptions & { readonly repetitions: number; readonly tune?: boolean; readonly json?: boolean };

export async function runBench(options: BenchOptions): Promise<void> {
  const { repetitions } = options;
  const { config, model } = await subjectOf(options);
  const device = await setupDevice();
  const prepare = options.tune
    ? (inspectOnce: () => Promise<void>) =>
        tuneKernels((how) => tune(inspectOnce, how), { onEvent: eventPrinter() })
    : undefined;
  say(`measuring on ${device.name}, after a warm-up; what takes long is repeated less often`);
  const tell = tellParts(repetitions);
  const inspection =
    config.method === "patchcore"
      ? await benchPatchCore(model!, config, repetitions, prepare, tell)
      : await benchReconstruction(config, repetitions, prepare, tell);
  const training = config.method === "patchcore" ? null : await benchTraining(config, repetitions, tell);
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

/** Seconds between lines about one part. */
const pause = 5;

/** A line when a part begins, and now and then while it is measured. */
function tellParts(repetitions: number): (part: string, done: number) => void {
  const last = new Map<string, number>();
  return (part, done) => {
    const now = performance.now();
    const before = last.get(part);
    if (before !== undefined && now - before < pause * 1000) return;
    last.set(part, now);
    say(before === undefined ? `measuring one ${part}` : `measuring one ${part}: ${done} of ${repetitions}`);
  };
}

/** The configuration that was asked for, and its model where there is one. */
async function subjectOf(options: BenchOptions): Promise<{ config: Config; model?: Model }> {
  if (options.checkpoint !== undefined) return openModel(options.checkpoint, askedBy(options));
  const asked = askedBy(options);
  if (Object.keys(asked).length === 0) {
    throw new ConfigError([
      "Nothing says what to measure: give --checkpoint <run>, --preset <name> (ddad presets lists them), --config <file> or --set.",
    ]);
  }
  // No image is read: generated ones cost the same.
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
            "one forward pass",
            call,
            `${call.gflop.toPrecision(3)} GFLOP, ${call.gflops.toFixed(0)} GFLOP/s`,
          ),
        ]
      : []),
    ...(reconstruction
      ? [row("one reconstruction", reconstruction, `sampling steps: ${reconstruction.steps}`)]
      : []),
    row("one inspection", inspection, compared),
    ...(step
      ? [
          row(
            "one training step",
            step,
            `batch ${step.batchSize}, ${step.microBatch} at a time: ${step.imagesPerSecond.toPrecision(3)} images/s`,
          ),
        ]
      : []),
  ];
  const used = [`inspection ${formatBytes(bytes)}`, ...(step ? [`training ${formatBytes(step.bytes)}`] : [])];
  return [
    `${config.method}, ${config.protocol} protocol, ${imageSize} × ${imageSize} pixels, on ${device.name}`,
    "",
    formatTable(["one image, unless it says more", "ms (median)", "times", ""], rows),
    "",
    `buffers on the device: ${used.join(", ")}`,
    ...(training?.notices ?? []),
    ...(training?.problem === undefined ? [] : [`training cannot be measured: ${training.problem}`]),
    ...(training?.seconds === undefined
      ? []
      : [
          `training, ${training.steps} steps: about ${formatDuration(training.seconds)}, without reading images and looks at held-out ones`,
        ]),
  ].join("\n");
}

const formatBytes = (bytes: number): string =>
  bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(2)} GiB`;
