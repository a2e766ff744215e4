/**
 * `npm run bench -- --cold`: what programs cost when they are started for the first time. Each runs in a process of its own with an
 * empty shader cache, once as people run it, and once with every pipeline compiled alone, which tells whose time it is.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ColdStart } from "./child.ts";
import { coldPrograms } from "./programs.ts";

/** Processor time of the pipelines of one kernel. */
export interface KernelCost {
  /** `kernel/variant/pass` */
  readonly label: string;
  readonly pipelines: number;
  readonly bytes: number;
  readonly ms: number;
}

/** One program. */
export interface ColdResult extends Omit<ColdStart, "pipelines"> {
  readonly name: string;
  readonly pipelines: number;
  /** Of their WGSL. */
  readonly bytes: number;
  /** The most expensive kernels first. */
  readonly kernels: readonly KernelCost[];
}

/** Starts the programs whose names are wanted, one after another. */
export async function* measureColdStarts(wanted: (name: string) => boolean): AsyncGenerator<ColdResult> {
  for (const name of coldPrograms.keys()) {
    if (!wanted(name)) continue;
    const { pipelines, ...start } = await startCold(name);
    const alone = await startCold(name, "--by-kernel");
    const bytes = pipelines.reduce((sum, pipeline) => sum + pipeline.bytes, 0);
    yield { name, ...start, pipelines: pipelines.length, bytes, kernels: kernelsOf(alone) };
  }
}

function kernelsOf({ pipelines }: ColdStart): KernelCost[] {
  const byLabel = new Map<string, KernelCost>();
  for (const { label, bytes, ms } of pipelines) {
    const known = byLabel.get(label) ?? { label, pipelines: 0, bytes: 0, ms: 0 };
    byLabel.set(label, {
      label,
      pipelines: known.pipelines + 1,
      bytes: known.bytes + bytes,
      ms: known.ms + ms,
    });
  }
  return [...byLabel.values()].sort((a, b) => b.ms - a.ms);
}

/** A process of its own, with folders for caches that are new. */
async function startCold(...words: string[]): Promise<ColdStart> {
  const cache = mkdtempSync(join(tmpdir(), "ddad-cold-"));
  const env = { ...process.env, MESA_SHADER_CACHE_DIR: cache, XDG_CACHE_HOME: cache, DDAD_TUNING: "off" };
  const child = fileURLToPath(
    new URL(import.meta.url.endsWith(".ts") ? "child.ts" : "child.js", import.meta.url),
  );
  try {
    return await new Promise((resolve, reject) => {
      const started = spawn(process.execPath, [...process.execArgv, child, ...words], {
        env,
        stdio: ["ignore", "pipe", "inherit"],
      });
      let text = "";
      started.stdout.on("data", (part) => {
        text += part;
      });
      started.on("error", reject);
      started.on("close", (code) => {
        if (code === 0) resolve(JSON.parse(text) as ColdStart);
        else reject(new Error(`${words.join(" ")}: the process ended with exit code ${code}.`));
      });
    });
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

const seconds = (ms: number): string => (ms / 1000).toFixed(2).padStart(8);

/** Head of the table of {@link coldLine}. */
export const coldHead = `${"".padEnd(36)} pipelines  WGSL, kB   first, s     CPU, s  second, s`;

/** One program as a line. */
export const coldLine = ({ name, pipelines, bytes, firstMs, cpuMs, secondMs }: ColdResult): string =>
  [
    name.padEnd(36),
    String(pipelines).padStart(9),
    (bytes / 1000).toFixed(0).padStart(9),
    `  ${seconds(firstMs)}`,
    `  ${seconds(cpuMs)}`,
    `  ${seconds(secondMs)}`,
  ].join(" ");

/** Its kernels, one a line. */
export const kernelLines = ({ kernels }: ColdResult, most = 12): string[] =>
  kernels
    .slice(0, most)
    .map(
      ({ label, pipelines, ms }) =>
        `  ${label.padEnd(60)} ${String(pipelines).padStart(3)} pipelines  ${ms.toFixed(0).padStart(6)} ms`,
    );
