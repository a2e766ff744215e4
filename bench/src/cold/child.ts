/**
 * Runs one program in this process and prints what its start cost, as JSON. `cold.ts` starts it with an empty shader cache:
 *   node child.js NAME [--by-kernel]
 */
import { setupDevice } from "@ddad/tensor";
import { type CompiledPipeline, compilePipelinesAlone, countPipelines } from "./pipelines.ts";
import { cpuMs } from "./processorTime.ts";
import { coldPrograms } from "./programs.ts";

/** What a start costs. Times are in milliseconds and count from the start of the process. */
export interface ColdStart {
  /** Name of the adapter. */
  readonly adapter: string;
  /** Until the device is there. */
  readonly deviceMs: number;
  /** Until the first result is there. */
  readonly firstMs: number;
  /** Processor time until then. */
  readonly cpuMs: number;
  /** Of the second run alone. */
  readonly secondMs: number;
  /** Processor time of the second run. */
  readonly secondCpuMs: number;
  readonly pipelines: readonly CompiledPipeline[];
}

const [name = "", flag] = process.argv.slice(2);
const device = await setupDevice();
const deviceMs = performance.now();
const made = flag === "--by-kernel" ? compilePipelinesAlone(device.gpu, cpuMs) : countPipelines(device.gpu);
const step = coldPrograms.get(name)!();
const run = async (): Promise<void> => {
  for (const result of await step()) result.dispose();
  await device.gpu.queue.onSubmittedWorkDone();
};
await run();
const firstMs = performance.now();
const firstCpuMs = cpuMs();
await run();
const start: ColdStart = {
  adapter: device.name,
  deviceMs,
  firstMs,
  cpuMs: firstCpuMs,
  secondMs: performance.now() - firstMs,
  secondCpuMs: cpuMs() - firstCpuMs,
  pipelines: made(),
};
process.stdout.write(JSON.stringify(start));
process.exit(0);
