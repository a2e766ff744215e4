/** The phases of a training: at half the image size first, where `training.progressive` asks for it, then at the whole one. */
import { currentDevice } from "@ddad/nn";
import { trimBuffers } from "@ddad/nn/internal";
import { halfSizeConfig, stepsAtHalfSize } from "../config/progressive.ts";
import type { Config } from "../config/schema.ts";
import { emptyImageSet, imageAt, type NamedImages, putImage } from "../data/imageSet.ts";
import type { Model, TrainingState } from "../model/modelFile.ts";
import { stepWithinBudget, type TrainingMemory } from "./memory.ts";
import { Trainer } from "./trainer.ts";

/** What the phases of a training work with. */
export type PhasesOptions = {
  /** Whole, as it is stored. */
  readonly config: Config;
  readonly train: NamedImages;
  readonly heldOut: NamedImages;
};

/** Settings of a phase, and what it takes on the device with them. */
export type PlannedPhase = { readonly config: Config; readonly memory: TrainingMemory };

/**
 * The trainer of the current phase, and the step to the next one: the same parameters, optimiser and EMA. Weights depend on the
 * number of steps alone, not on where a training was stopped.
 */
export class Phases {
  readonly #options: PhasesOptions;
  readonly #planned: PlannedPhase | undefined;
  #trainer: Trainer;
  /** Images of the current phase. */
  #images: Pick<PhasesOptions, "train" | "heldOut">;
  /** Where this process began the phase; undefined: at the start. */
  #begin: TrainingState | undefined;
  #firstStep: number;

  private constructor(
    options: PhasesOptions,
    images: Phases["images"],
    trainer: Trainer,
    begin: TrainingState | undefined,
    planned?: PlannedPhase,
  ) {
    this.#options = options;
    this.#images = images;
    this.#trainer = trainer;
    this.#begin = begin;
    this.#firstStep = trainer.step;
    this.#planned = planned;
  }

  /**
   * The phase of a training at its start, or where `state` left off. The memory of the whole size is planned before a first phase.
   *
   * @throws MemoryBudgetError where the configuration has a budget of memory, and either size does not fit into it.
   */
  static async create(options: PhasesOptions, state?: TrainingState): Promise<Phases> {
    const { config } = options;
    const boundary = stepsAtHalfSize(config.training);
    const wasHalf = state === undefined || (state.imageSize ?? Infinity) < config.data.imageSize;
    // A validation that is still to be done belongs to the phase of its step.
    if (wasHalf && ((state?.step ?? 0) < boundary || state?.validationPending)) {
      const whole = { config, memory: await memoryOfTraining(config) };
      const images = { train: halved(options.train), heldOut: halved(options.heldOut) };
      const trainer = await Trainer.create(halfSizeConfig(config), images.train, state);
      const own = { config: trainer.config, memory: trainer.memory };
      const planned = whole.memory.total > own.memory.total ? whole : own;
      return new Phases(options, images, trainer, state, planned);
    }
    const begin = state && wasHalf ? atWholeSize(state) : state;
    return new Phases(options, options, await Trainer.create(config, options.train, begin), begin);
  }

  get trainer(): Trainer {
    return this.#trainer;
  }

  /** Images at the size of the current phase. */
  get images(): Pick<PhasesOptions, "train" | "heldOut"> {
    return this.#images;
  }

  /** The phase that takes most memory, of this one and those to come. */
  get largest(): PlannedPhase {
    return this.#planned ?? this.#trainer;
  }

  /** Steps done when this process began the phase. */
  get firstStep(): number {
    return this.#firstStep;
  }

  /** Whether the phase can begin again: in its first two steps, after which nothing new comes to the device. */
  get restarts(): boolean {
    return this.#trainer.step <= this.#firstStep + 1;
  }

  /** Whether images have half the size now. */
  get atHalfSize(): boolean {
    return this.#images !== this.#options;
  }

  /** The last step of the first phase; 0 where there is none. */
  get boundary(): number {
    return this.atHalfSize ? stepsAtHalfSize(this.#options.config.training) : 0;
  }

  /** Everything needed to resume, with the whole configuration. @throws DivergedError where a number of it is not finite */
  async state(): Promise<TrainingState> {
    const state = await this.#trainer.state();
    if (!this.atHalfSize) return state;
    return { ...state, config: this.#options.config, imageSize: state.config.data.imageSize };
  }

  /** The model of now: one for images of the whole size, in either phase. @throws DivergedError where a weight is not finite */
  async model(): Promise<Model> {
    const model = await this.#trainer.model();
    return this.atHalfSize ? { ...model, config: this.#options.config } : model;
  }

  /** Goes from half the size to the whole one. The best model is chosen anew: losses of two sizes cannot be compared. */
  async enlarge(): Promise<void> {
    const { config, train } = this.#options;
    const begin = atWholeSize(await this.#trainer.state());
    this.dispose();
    this.#begin = begin;
    this.#images = this.#options;
    this.#trainer = await Trainer.create(config, train, begin);
    this.#firstStep = this.#trainer.step;
  }

  /** A step of the trainer, as `Trainer.takeStep`. */
  async takeStep(signal: AbortSignal | undefined): Promise<number | undefined> {
    const loss = await this.#trainer.takeStep(signal);
    if (!this.restarts) this.#begin = undefined;
    return loss;
  }

  /** Begins the phase again with other settings of its own, such as a smaller micro-batch; only while it `restarts`. */
  async restart(config: Config): Promise<void> {
    this.dispose();
    this.#trainer = await Trainer.create(config, this.#images.train, this.#begin);
  }

  /** Frees the network and all that is kept with it. */
  dispose(): void {
    this.#trainer.dispose();
    // What comes next needs buffers of other sizes.
    trimBuffers(currentDevice());
  }
}

/** A state of the first phase as the start of the second. */
const atWholeSize = ({ imageSize: _, best: __, ...state }: TrainingState): TrainingState => state;

/** What a training will take. @throws MemoryBudgetError as `stepWithinBudget` */
async function memoryOfTraining(config: Config): Promise<TrainingMemory> {
  const { step, memory } = await stepWithinBudget(config);
  step.dispose();
  trimBuffers(currentDevice());
  return memory;
}

/** Images of half the side, antialiased. */
function halved({ images, ids }: NamedImages): NamedImages {
  const half = emptyImageSet(images.count, images.size / 2);
  for (let index = 0; index < images.count; index++) putImage(half, index, imageAt(images, index));
  return { images: half, ids };
}
