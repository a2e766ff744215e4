/** The device memory of a training, planned before its first step, and what of it fits into a budget. */
import { currentDevice, planBytes, type Tensor, type TensorSpec } from "@ddad/nn";
import { bufferBytes, heldBytes } from "@ddad/nn/internal";
import { costOf } from "../config/cost.ts";
import type { Config } from "../config/schema.ts";
import { MemoryBudgetError } from "../errors.ts";
import { divisorsOf, formatMemory, largestFitting, parseMemory, roomFor } from "../memory/budget.ts";
import {
  adamControlLength,
  bytesOfAll,
  describeMemory,
  memoryOf,
  type PlannedMemory,
} from "../memory/planned.ts";
import { type NoisedArguments, type TrainingArguments, TrainingStep } from "./step.ts";

/** What a training takes, validation included, where its batch is computed in such parts. */
export type TrainingMemory = PlannedMemory & {
  /** Images computed at a time. */
  readonly microBatch: number;
  /** Whether gradient checkpointing is on. */
  readonly recompute: boolean;
  /** Images of a micro-batch that can be interrupted within seconds; the batch where the whole step can. */
  readonly interruptible: number;
  /** Bytes of the largest tensor: adapters bind so many and no more. */
  readonly largest: number;
};

/**
 * Plans a step and a validation without compiling or running anything. What the plans leave out: the driver, compiled shaders, and
 * the copies through which numbers come and go.
 */
export function planTraining(step: TrainingStep, microBatch: number): TrainingMemory {
  const { batchSize, recompute } = step.config.training;
  const inParts = microBatch < batchSize;
  const noised = noisedSpecs(microBatch, step.config.data.imageSize);
  const dropoutKeys: TensorSpec = { shape: [microBatch, 4], dtype: "u32" };
  const control: TensorSpec = { shape: [adamControlLength], dtype: "f32" };
  step.denoiser.train();
  const training = inParts
    ? [
        planBytes(
          (...[x, t, a, k, d, keep]: TrainingArguments) => step.part([x, t, a, k], d, keep),
          [...noised, dropoutKeys, { shape: [1], dtype: "f32" }],
        ),
        planBytes((numbers: Tensor) => void step.apply(numbers), [control]),
      ]
    : [
        planBytes(
          (...[x, t, a, k, d, c]: TrainingArguments) => step.whole([x, t, a, k], d, c),
          [...noised, dropoutKeys, control],
        ),
      ];
  step.denoiser.eval();
  const validation = planBytes((...noised: NoisedArguments) => step.losses(noised), noised);
  const parameters = heldBytes(step.denoiser.namedState().values());
  const ema = heldBytes(step.ema?.variables ?? []);
  const held = {
    parameters,
    "optimiser state": heldBytes(step.variables) - parameters - ema,
    ...(ema > 0 && { EMA: ema }),
    ...(inParts && { "gradient sums": heldBytes(step.sums) }),
  };
  const passed =
    bytesOfAll([...noised, dropoutKeys, control]) + bufferBytes({ shape: [microBatch], dtype: "f32" });
  const largest = Math.max(...[...training, validation].map((plan) => plan.largest));
  const interruptible = interruptibleParts(step.config).at(-1)!;
  return {
    microBatch,
    recompute,
    interruptible,
    largest,
    ...memoryOf(held, passed, [...training, validation]),
  };
}

const noisedSpecs = (count: number, size: number): TensorSpec[] => [
  { shape: [count, size, size, 3], dtype: "f32" },
  { shape: [count], dtype: "f32" },
  { shape: [count], dtype: "f32" },
  { shape: [count, 4], dtype: "u32" },
];

/**
 * Operations of a micro-batch, in 1e9, above which a batch is divided: Ctrl-C takes effect between micro-batches. A few seconds on
 * adapters of each class. The class alone decides, never a measured speed: how a batch is divided changes the order of sums, and a
 * resumed run must divide it alike.
 */
const interruptibleGflop = { software: 100, integrated: 3000, discrete: Number.POSITIVE_INFINITY };

/** Divisors of the batch that an adapter of the current class computes within seconds, rising; 1 at least. */
function interruptibleParts(config: Config): number[] {
  const { batchSize } = config.training;
  const perImage = costOf(config).gflopPerStep / batchSize;
  const most = interruptibleGflop[currentDevice().capabilities.adapterClass];
  return divisorsOf(batchSize).filter((count) => count === 1 || count * perImage <= most);
}

/**
 * The step of a configuration, with as many images at a time as its budget, `training.memory`, has room for, the adapter can
 * bind and computes within seconds: the largest divisor of the batch, with gradient checkpointing where not even one image fits
 * otherwise. A number that is given stands.
 *
 * @throws MemoryBudgetError where nothing fits.
 */
export async function stepWithinBudget(
  config: Config,
): Promise<{ readonly step: TrainingStep; readonly memory: TrainingMemory }> {
  const { microBatch, recompute, memory } = config.training;
  const budget = memory === undefined ? Number.POSITIVE_INFINITY : parseMemory(memory)!;
  const candidates = microBatch === undefined ? interruptibleParts(config) : [microBatch];
  const { largestTensor } = currentDevice();
  const ways = recompute || microBatch !== undefined ? [recompute] : [false, true];
  let least: TrainingMemory | undefined;
  for (const again of ways) {
    const step = await TrainingStep.create({ ...config, training: { ...config.training, recompute: again } });
    const plans = new Map<number, TrainingMemory>();
    const planFor = (count: number): TrainingMemory => {
      const plan = plans.get(count) ?? planTraining(step, count);
      plans.set(count, plan);
      return plan;
    };
    // Where not even the smallest part can be bound, running it says which tensor is too large.
    const binds = (count: number): boolean =>
      count === candidates[0] || planFor(count).largest <= largestTensor;
    const found = largestFitting(candidates, (count) => planFor(count).total <= budget && binds(count));
    if (found !== undefined) return { step, memory: planFor(found) };
    least = planFor(candidates[0]!);
    step.dispose();
  }
  throw new MemoryBudgetError(refusal(config, least!), { budget, needed: least!.total });
}

function refusal({ model, training }: Config, least: TrainingMemory): string {
  const { microBatch, recompute, held, total } = least;
  const kept = Object.values(held).reduce((sum, bytes) => sum + bytes, 0);
  const cures = [`allow ${formatMemory(roomFor(total))} by training.memory`];
  if (!recompute) cures.push("set training.recompute to true");
  if (training.microBatch !== undefined) cures.push("leave training.microBatch out, so that it is chosen");
  else {
    cures.push("lower data.imageSize");
    if (model.variant === "ddad") cures.push("take the small network, model.variant ddad-s");
    if (training.ema > 0) cures.push(`keep no EMA by training.ema 0 (${formatMemory(held["EMA"]!)})`);
  }
  return (
    `training.memory is ${training.memory}, but ${microBatchText(least)}${recompute ? ", with gradient checkpointing," : ""} ` +
    `${microBatch === 1 ? "takes" : "take"} ${formatMemory(total)}, of which ${formatMemory(kept)} are held throughout: ` +
    `${cures.slice(0, -1).join(", ")} or ${cures.at(-1)}.`
  );
}

/** The plan of a training for people, one line. */
export const describeTrainingMemory = (memory: TrainingMemory): string =>
  describeMemory(memory, `${microBatchText(memory)}${memory.recompute ? ", gradient checkpointing" : ""}`);

const microBatchText = ({ microBatch }: TrainingMemory): string =>
  `${microBatch} ${microBatch === 1 ? "image" : "images"} at a time`;
