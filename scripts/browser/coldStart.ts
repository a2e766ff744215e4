/**
 * One program, started in a page that nothing was compiled for: `?program=NAME`, with `&by-kernel` each pipeline alone. Driven by
 * `scripts/cold-browser.mjs`, whose `mark` reads the processor time of the browser.
 */
import { setupDevice } from "@ddad/tensor";
import {
  type CompiledPipeline,
  compilePipelinesAlone,
  countPipelines,
} from "../../bench/src/cold/pipelines.ts";
import { coldPrograms } from "../../bench/src/cold/programs.ts";

/** What the page measures, in milliseconds. */
export interface PageStart {
  readonly adapter: string;
  /** From the start of the page's load to the device. */
  readonly deviceMs: number;
  /** From there to the first result. */
  readonly firstMs: number;
  /** Of the second run, of programs that have one. */
  readonly secondMs?: number;
  readonly pipelines: readonly CompiledPipeline[];
}

declare global {
  interface Window {
    /** Tells the script that drives the browser that a part is done. */
    mark(part: "device" | "first" | "second"): Promise<void>;
    /** Processor time of the browser in milliseconds, in steps of 10. */
    processorTime(): Promise<number>;
    start: PageStart;
  }
}

const query = new URLSearchParams(location.search);
const name = query.get("program") ?? "";
const now = () => performance.now();
const made = query.has("by-kernel")
  ? compilePipelinesAlone(GPUDevice.prototype, () => window.processorTime())
  : countPipelines(GPUDevice.prototype);
const { gpu, name: adapter } = await setupDevice();
const deviceMs = now();
await window.mark("device");
if (name === "README's twenty lines, 20 steps") {
  const before = now();
  await import("virtual:readme-example"); // sets up the same device, and destroys it
  const firstMs = now() - before;
  await window.mark("first");
  window.start = { adapter, deviceMs, firstMs, pipelines: made() };
} else {
  const program = coldPrograms.get(name);
  if (!program) throw new Error(`There is no program "${name}".`);
  const before = now();
  const step = program();
  const run = async (): Promise<void> => {
    for (const result of await step()) result.dispose();
    await gpu.queue.onSubmittedWorkDone();
  };
  await run();
  const firstMs = now() - before;
  await window.mark("first");
  const again = now();
  await run();
  const secondMs = now() - again;
  await window.mark("second");
  window.start = { adapter, deviceMs, firstMs, secondMs, pipelines: made() };
}
window.finished = true;
