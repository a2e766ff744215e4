/** Events of stages as lines on standard error. */
import type { ProgressEvent, StageEvent } from "@ddad/node";
import { rememberCheckpoint, rememberInspected } from "./failure.ts";
import { Progress } from "./progress.ts";
import { say } from "./terminal.ts";

/** Prints what stages tell; the lines of one command come from one printer. */
export function eventPrinter(): (event: StageEvent) => void {
  const lines = new Map<string, Progress>();
  return (event) => {
    if (event.type === "notice" || event.type === "memory") say(event.message);
    if (event.type === "progress") showProgress(lines, event);
    if (event.type === "checkpoint") rememberCheckpoint(event.path, event.step);
    if (event.type === "inspected") rememberInspected();
  };
}

/**
 * Whether a training or adaptation saves its state where it is stopped, by its events: from its first step on, which comes after its
 * memory is planned, until the next piece of work.
 */
export function savesBetween(onEvent: (event: StageEvent) => void): {
  readonly onEvent: (event: StageEvent) => void;
  readonly saves: () => boolean;
} {
  let saves = false;
  return {
    onEvent(event) {
      if (event.type === "memory") saves = true;
      if (event.type === "progress") saves = event.task === "step";
      onEvent(event);
    },
    saves: () => saves,
  };
}

function showProgress(lines: Map<string, Progress>, event: ProgressEvent): void {
  const { task, unit, done, total, first, left, ended } = event;
  const line =
    lines.get(task) ?? new Progress(task, unit, first, task === "step" || task.startsWith("measuring one "));
  lines.set(task, line);
  if (ended) lines.delete(task);
  if (ended && !(total !== undefined && done >= total)) line.stop();
  else line.update(done, total, detailsOf(event), left);
}

const detailsOf = ({ details, loss, imagesPerSecond, validationLoss }: ProgressEvent): string =>
  [
    ...(loss === undefined ? [] : [`loss ${loss.toPrecision(4)}`]),
    ...(imagesPerSecond === undefined ? [] : [`${imagesPerSecond.toPrecision(3)} images/s`]),
    ...(validationLoss === undefined ? [] : [`validation ${validationLoss.toPrecision(4)}`]),
    ...(details === undefined ? [] : [details]),
  ].join(" · ");
