/** What a model costs on this machine: its parts measured, one after another. */
import { type Config, DataError, type Model } from "@ddad/ddad/internal";
import { tune } from "@ddad/nn";
import { notice, type Progress, progress, type StageOptions } from "../events.ts";
import {
  benchModelInspection,
  benchReconstruction,
  benchTraining,
  type InspectionCost,
  type MeasureOptions,
  type TrainingCost,
} from "../model/measure.ts";
import { openDevice } from "../openDevice.ts";
import { tuneKernels } from "./tune.ts";

/** Options of `benchModel`. */
export interface BenchOptions extends StageOptions {
  /** Measurements of each part after a warm-up; what takes long is repeated less often. Default 5. */
  readonly repetitions?: number | undefined;
  /** Measures the kernels of an inspection first, and takes the fastest from then on. Default false. */
  readonly tune?: boolean | undefined;
}

/** What `benchModel` measured, and what of. */
export interface BenchResult extends InspectionCost {
  /** Name of the GPU or software adapter. */
  readonly adapter: string;
  /** What sort of adapter it is, by which kernels are chosen. */
  readonly class: string;
  /** The protocol of the configuration. */
  readonly protocol: Config["protocol"];
  /** The method of the configuration. */
  readonly method: Config["method"];
  /** Side of the images, in pixels. */
  readonly imageSize: number;
  /** The network that compares features, or `none`. */
  readonly features: Config["features"]["network"];
  /** What training costs; null of PatchCore, which has no training steps. */
  readonly training: TrainingCost | null;
}

/**
 * Measures what an inspection and a training step cost on this machine. Images are made up, and so are weights: they cost the same. Only
 * PatchCore needs a model.
 *
 * @param subject the configuration to measure, with its model where there is one, as `openModel` gives them
 * @throws DataError where the method is PatchCore and there is no model; the reason of the signal where it is aborted
 */
export async function benchModel(
  { config, model }: { readonly config: Config; readonly model?: Model | undefined },
  options: BenchOptions = {},
): Promise<BenchResult> {
  const { repetitions = 5, signal } = options;
  const trains = config.method === "ddad";
  if (!trains && model === undefined) {
    throw new DataError(
      `What method ${config.method} costs depends on what it keeps: give a model by --checkpoint.`,
    );
  }
  const device = await openDevice(options);
  notice(options, `measuring on ${device.name}, after a warm-up; what takes long is repeated less often`);
  using parts = tellParts(repetitions, options);
  const prepare: MeasureOptions["prepare"] = options.tune
    ? (inspectOnce) => tuneKernels((how) => tune(inspectOnce, how), options)
    : undefined;
  const measuring = { repetitions, prepare, tell: parts.tell, signal };
  const inspection = trains
    ? await benchReconstruction(config, measuring)
    : await benchModelInspection(model!, config, measuring);
  return {
    adapter: device.name,
    class: device.capabilities.adapterClass,
    protocol: config.protocol,
    method: config.method,
    imageSize: config.data.imageSize,
    features: config.features.network,
    ...inspection,
    training: trains ? await benchTraining(config, measuring) : null,
  };
}

/** Progress of each part; where a part ends before all its repetitions, when the next one begins. */
function tellParts(
  repetitions: number,
  options: StageOptions,
): Disposable & { readonly tell: (part: string, done: number) => void } {
  let current: { readonly part: string; readonly told: Progress } | undefined;
  return {
    tell(part, done) {
      if (current?.part !== part) {
        current?.told.end();
        current = { part, told: progress(options, `measuring one ${part}`, "repetitions") };
      }
      current.told.update(Math.min(done, repetitions), repetitions);
    },
    [Symbol.dispose]() {
      current?.told.end();
    },
  };
}
