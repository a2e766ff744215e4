/**
 * Loaded before a whole program (`node --import`): at the end of the process writes what it cost to file descriptor 3, as JSON. With
 * `?pipelines` also the pipelines of all its devices, each compiled alone.
 */
import { writeSync } from "node:fs";
import { type CompiledPipeline, compilePipelinesAlone } from "./pipelines.ts";
import { cpuMs } from "./processorTime.ts";

/** What a process cost. */
export interface ProcessCost {
  /** Processor time in milliseconds. */
  readonly cpuMs: number;
  readonly pipelines: readonly CompiledPipeline[];
}

const made = new URL(import.meta.url).searchParams.has("pipelines") ? await watch() : () => [];
process.on("exit", () => {
  const cost: ProcessCost = { cpuMs: cpuMs(), pipelines: made() };
  writeSync(3, JSON.stringify(cost));
});

/** Dawn is loaded for it, so that a process without is what people run. */
async function watch(): Promise<() => readonly CompiledPipeline[]> {
  const { globals } = await import("webgpu");
  return compilePipelinesAlone((globals as unknown as typeof globalThis).GPUDevice.prototype, cpuMs);
}
