/** Errors as a person at a terminal can use them: what happened, what is saved, which command comes next. */
import { changedCommand, isTyped, repeatedCommand, typedCommand } from "./terminal.ts";

/** Errors whose cure lies in what was given, by name: importing their classes would load everything. */
const wrongUse = new Set([
  "ConfigError",
  "DataError",
  "CheckpointError",
  "StateDictError",
  "MemoryBudgetError",
  "DivergedError",
]);

/** Whether something that was given must change. */
export const isWrongUse = ({ name }: Error): boolean => wrongUse.has(name);

/** How far the command came, as its events said. */
type Reached = {
  readonly checkpoint?: { readonly path: string; readonly step: number };
  readonly inspected: number;
};
let reached: Reached = { inspected: 0 };

/** Forgets what an earlier command reached. */
export const forgetReached = (): void => {
  reached = { inspected: 0 };
};

/** Remembers that a checkpoint was written. */
export const rememberCheckpoint = (path: string, step: number): void => {
  reached = { ...reached, checkpoint: { path, step } };
};

/** Remembers that one more image was inspected. */
export const rememberInspected = (): void => {
  reached = { ...reached, inspected: reached.inspected + 1 };
};

/** The message of an error; what a program should do about a lost device becomes what a person should do. */
export function describeFailure(error: Error): string {
  if (error.name !== "DeviceLostError") return error.message;
  const cause = error.message
    .replace(/ ?Call setupDevice\(\) again and reload\.?/, "")
    .replace(/[^.]$/, "$&.");
  return `The GPU stopped working. ${howToGoOn(typedCommand())}\n${cause} If that happens again, update the driver of the GPU, or check it with ddad doctor.`;
}

function howToGoOn(command: string | undefined): string {
  const { checkpoint, inspected } = reached;
  const saved = checkpoint && `Step ${checkpoint.step} is saved in ${checkpoint.path}.`;
  switch (command) {
    case "train":
    case "adapt":
      return saved === undefined
        ? `Nothing new was saved. Run this command again: ${repeatedCommand()}`
        : `${saved} Run this command to resume: ${changedCommand(["--overwrite", "--resume"], [], ["--resume"])}`;
    case "run":
      return `${saved ?? "Completed stages are saved."} Run this command to resume: ${repeatedCommand(["--overwrite"])}`;
    case "predict":
      return `${describeInspected(inspected)} Run this command to inspect all images again: ${
        // Of a folder that the program chose it would replace another one's results.
        inspected > 0 && isTyped("--out")
          ? changedCommand(["--overwrite"], [], ["--overwrite"])
          : repeatedCommand()
      }`;
    default:
      return `Run this command again: ${repeatedCommand()}`;
  }
}

function describeInspected(count: number): string {
  if (count === 0) return "No image was inspected.";
  return `The results of ${count === 1 ? "the first image" : `the first ${count} images`} are saved.`;
}
