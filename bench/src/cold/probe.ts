/**
 * Loaded before a whole program (`node --import`): at the end of the process writes what it cost to file descriptor 3, as JSON. With
 * `?count` also the pipelines of all its devices, with `?alone` each compiled alone.
 */
import { writeSync } from "node:fs";
import { type CompiledPipeline, compilePipelinesAlone, countPipelines } from "./pipelines.ts";
import { cpuMs } from "./processorTime.ts";

/** What a process cost. */
export interface ProcessCost {
  /** Processor time in milliseconds. */
  readonly cpuMs: number;
  readonly pipelines: readonly CompiledPipeline[];
}

const { search } = new URL(import.meta.url);
const made = search ? await watch() : () => [];
process.on("exit", () => {
  const cost: ProcessCost = { cpuMs: cpuMs(), pipelines: made() };
  writeSync(3, JSON.stringify(cost));
});

/** Dawn is loaded for it, so that a process without is what people run. */
async function watch(): Promise<() => readonly CompiledPipeline[]> {
  const { globals } = await import("webgpu");
  const every = (globals as unknown as typeof globalThis).GPUDevice.prototype;
  return search === "?alone" ? compilePipelinesAlone(every, cpuMs) : countPipelines(every);
}
