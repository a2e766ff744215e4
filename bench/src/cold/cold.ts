/**
 * `npm run bench -- --cold`: what programs cost when they are started for the first time. Each runs in a process of its own with an
 * empty shader cache, once as people run it, and once with every pipeline compiled alone, which tells whose time it is.
 */
import type { ColdStart } from "./child.ts";
import type { DeviceStart } from "./device.ts";
import type { CompiledPipeline } from "./pipelines.ts";
import { fileHere, runNode, withFolder } from "./processes.ts";
import { coldPrograms } from "./programs.ts";
import { type WholeProgram, wholePrograms } from "./wholePrograms.ts";

/** The pipelines of one kernel. */
export interface KernelCost {
  /** `kernel/variant/pass` */
  readonly label: string;
  readonly pipelines: number;
  readonly bytes: number;
  /** Processor time, in a browser time, until each has run once. */
  readonly ms: number;
  /** Of that, until `createComputePipelineAsync` answered. */
  readonly createMs: number;
}

/** One program. Times are in milliseconds. */
export interface ColdResult {
  readonly name: string;
  /** From the start of the process to the first result, or to the end of a whole program. */
  readonly firstMs: number;
  /** Processor time until then. */
  readonly cpuMs: number;
  /** Of the second run alone, where there is one. */
  readonly secondMs?: number;
  /** Processor time of the second run. */
  readonly secondCpuMs?: number;
  readonly pipelines: number;
  /** Of their WGSL. */
  readonly bytes: number;
  /** The most expensive kernels first; empty where they were not measured. */
  readonly kernels: readonly KernelCost[];
}

/** Starts a process that does nothing but set up the device. */
export const measureDevice = (): Promise<DeviceStart> => startCold("device");

/** Which programs, and whether they are started once more for the cost of each kernel. */
export interface Wanted {
  wanted(name: string): boolean;
  readonly byKernel: boolean;
}

/** Starts the programs that are wanted, one after another. */
export async function* measureColdStarts({ wanted, byKernel }: Wanted): AsyncGenerator<ColdResult> {
  for (const program of wholePrograms) if (wanted(program.name)) yield* await measureWhole(program, byKernel);
  for (const name of coldPrograms.keys()) {
    if (!wanted(name)) continue;
    const { pipelines, firstMs, cpuMs, secondMs, secondCpuMs } = await startCold<ColdStart>("child", name);
    const alone = byKernel ? await startCold<ColdStart>("child", name, "--by-kernel") : undefined;
    const times = { firstMs, cpuMs, secondMs, secondCpuMs };
    yield { name, ...times, ...count(pipelines), kernels: kernelsOf(alone?.pipelines ?? []) };
  }
}

/** A process of its own, with folders for caches that are new. */
const startCold = async <Result>(file: string, ...words: string[]): Promise<Result> =>
  JSON.parse((await withFolder((cache) => runNode([fileHere(file), ...words], { cache }))).output) as Result;

/** Twice with one cache folder. */
const measureWhole = ({ name, with: prepare }: WholeProgram, byKernel: boolean): Promise<ColdResult[]> =>
  prepare(async (run) => {
    const [cold, warm] = await withFolder(
      async (cache) => [await run(cache), await run(cache, "?count")] as const,
    );
    const alone = byKernel ? await withFolder((cache) => run(cache, "?alone")) : undefined;
    const counted = count(warm.pipelines);
    const kernels = kernelsOf(alone?.pipelines ?? []);
    return [
      { name: `${name}, cold`, firstMs: cold.wallMs, cpuMs: cold.cpuMs, ...counted, kernels },
      { name: `${name}, warm`, firstMs: warm.wallMs, cpuMs: warm.cpuMs, ...counted, kernels: [] },
    ];
  });

/** How many there are, and the size of their WGSL. */
export const count = (pipelines: readonly CompiledPipeline[]): { pipelines: number; bytes: number } => ({
  pipelines: pipelines.length,
  bytes: pipelines.reduce((sum, { bytes }) => sum + bytes, 0),
});

/** The pipelines by their labels, the most expensive first. */
export function kernelsOf(pipelines: readonly CompiledPipeline[]): KernelCost[] {
  const byLabel = new Map<string, KernelCost>();
  for (const { label, bytes, ms, createMs } of pipelines) {
    const known = byLabel.get(label) ?? { label, pipelines: 0, bytes: 0, ms: 0, createMs: 0 };
    byLabel.set(label, {
      label,
      pipelines: known.pipelines + 1,
      bytes: known.bytes + bytes,
      ms: known.ms + ms,
      createMs: known.createMs + createMs,
    });
  }
  return [...byLabel.values()].sort((a, b) => b.ms - a.ms);
}
