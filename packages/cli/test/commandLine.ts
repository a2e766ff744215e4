/** Runs the command line inside the test process, on its device. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { run } from "../src/run.ts";

export type Outcome = { readonly code: number; readonly output: string; readonly errors: string };

// The width of a pipe, also where tests run in a terminal.
Object.defineProperty(process.stdout, "columns", { value: 80, configurable: true, writable: true });

/** Runs `ddad` with these arguments and collects what it prints. */
export async function ddad(...args: string[]): Promise<Outcome> {
  const printed = { output: "", errors: "" };
  const streams = [
    [process.stdout, "output"],
    [process.stderr, "errors"],
  ] as const;
  const originals = streams.map(([stream]) => stream.write);
  for (const [stream, name] of streams) {
    stream.write = (text: string | Uint8Array) => {
      printed[name] += String(text);
      return true;
    };
  }
  try {
    const code = await run(args);
    return { code, ...printed };
  } finally {
    streams.forEach(([stream], i) => {
      stream.write = originals[i]!;
    });
  }
}

/** Settings of a network that trains in a moment. */
export const smallSettings = [
  "data.imageSize=16",
  "data.heldOut=0.3",
  "model.baseChannels=32",
  "model.heads=1",
  "model.channelMultipliers=[1]",
  "model.blocksPerLevel=1",
  "training.batchSize=2",
  "training.steps=4",
  "training.checkpointEvery=2",
  "sampling.start=100",
  "sampling.stride=50",
].flatMap((setting) => ["--set", setting]);

/** All files below a folder. */
export const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
