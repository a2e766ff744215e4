/** What stages tell while they run: typed events for a terminal, a page or a service. */
import type { Decision, PlannedMemory } from "@ddad/ddad/internal";

/** Something that a stage tells. */
export type StageEvent =
  /** Something people should know, as a sentence. */
  | { readonly type: "notice"; readonly message: string }
  /** How far a piece of work is. */
  | ProgressEvent
  /** GPU memory that the work ahead takes, also as text. */
  | { readonly type: "memory"; readonly memory: PlannedMemory; readonly message: string }
  /** A file was written from which the stage can be resumed. */
  | { readonly type: "checkpoint"; readonly path: string; readonly step: number }
  /** An image was inspected; a decision follows as a verdict where the model is calibrated. */
  | {
      readonly type: "inspected";
      readonly id: string;
      readonly score: number;
      readonly milliseconds?: number | undefined;
    }
  /** An image could not be inspected; the others are. */
  | { readonly type: "failed"; readonly id: string; readonly message: string }
  | {
      readonly type: "verdict";
      readonly id: string;
      readonly decision: Decision;
      readonly score: number;
      readonly threshold: number;
    };

/** How far a piece of work is, such as decoding images or training. */
export interface ProgressEvent {
  /** Which event it is. */
  readonly type: "progress";
  /** What is done, such as `step` or `inspecting`. */
  readonly task: string;
  /** What `done` and `total` count, such as `images`. */
  readonly unit: string;
  /** How much is done. */
  readonly done: number;
  /** Undefined where nobody knows it. */
  readonly total?: number | undefined;
  /** How much was done before this work began, as where a training is resumed. */
  readonly first: number;
  /** What is left, counted in units like the last one, where later ones take longer; otherwise what is left of `total`. */
  readonly left?: number | undefined;
  /** Whether this is the last event of this work. */
  readonly ended: boolean;
  /** More about it as text, such as the kernel that was measured last. */
  readonly details?: string | undefined;
  /** In training and adaptation: mean loss since the last event. */
  readonly loss?: number | undefined;
  /** In training: images per second so far. */
  readonly imagesPerSecond?: number | undefined;
  /** In training and adaptation: loss on the held-out images, where it was computed. */
  readonly validationLoss?: number | undefined;
}

/** What every stage takes beside its own options. */
export interface StageOptions {
  /** Called with every event, in order. It must not throw. */
  readonly onEvent?: ((event: StageEvent) => void) | undefined;
  /** Ends the stage at the next place from which it can be resumed. */
  readonly signal?: AbortSignal | undefined;
  /** Leaves out images of a data set that cannot be read, with a notice, instead of failing. Default false. */
  readonly skipUnreadable?: boolean | undefined;
}

/** Tells a notice. */
export const notice = ({ onEvent }: StageOptions, message: string): void =>
  onEvent?.({ type: "notice", message });

/** Numbers and text that go with a progress event. */
export type ProgressDetails = Pick<
  ProgressEvent,
  "details" | "left" | "loss" | "imagesPerSecond" | "validationLoss"
>;

/** Tells how far one piece of work is. */
export interface Progress {
  update(done: number, total?: number, details?: ProgressDetails): void;
  /** Ends the progress, where the work ended before its total. */
  end(): void;
}

/** Progress of one piece of work. @param first how much was done before it began */
export function progress({ onEvent }: StageOptions, task: string, unit: string, first = 0): Progress {
  let last: ProgressEvent | undefined;
  const tell = (event: ProgressEvent): void => {
    last = event;
    onEvent?.(event);
  };
  return {
    update(done, total, details = {}) {
      const ended = total !== undefined && done >= total;
      tell({ type: "progress", task, unit, done, total, first, ended, ...details });
    },
    end() {
      if (last && !last.ended) tell({ ...last, ended: true });
    },
  };
}
