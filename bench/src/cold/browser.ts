/** `npm run bench -- --cold --browser`: the same in headless Chromium, each program in a profile that has no compiled shaders. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type ColdResult, count, kernelsOf, type Wanted } from "./cold.ts";
import type { CompiledPipeline } from "./pipelines.ts";
import { coldPrograms } from "./programs.ts";

/** What `scripts/cold-browser.mjs` prints of one program. Times are in milliseconds. */
interface BrowserLine {
  readonly name: string;
  /** Version of Chromium. */
  readonly browser: string;
  readonly adapter: string;
  readonly firstMs: number;
  readonly secondMs?: number;
  readonly pipelines: readonly CompiledPipeline[];
  readonly cpu: {
    readonly first: Readonly<Record<string, number>>;
    readonly second?: Readonly<Record<string, number>>;
  };
}

/** One program in a page. It counts from where the device is there. */
export interface BrowserResult extends ColdResult {
  /** Its version. */
  readonly chromium: string;
  readonly adapter: string;
}

/** Programs that a page runs; DDAD-S is too much for the software adapter of a browser. */
export const browserPrograms: readonly string[] = [
  "README's twenty lines, 20 steps",
  ...[...coldPrograms.keys()].filter((name) => !name.startsWith("DDAD-S")),
];

/** Starts the programs that are wanted, one after another. */
export async function* measureBrowserStarts({ wanted, byKernel }: Wanted): AsyncGenerator<BrowserResult> {
  for (const name of browserPrograms.filter(wanted)) {
    const { browser, adapter, firstMs, secondMs, pipelines, cpu } = await startBrowser(name);
    const alone = byKernel ? await startBrowser("--by-kernel", name) : undefined;
    const second = secondMs !== undefined && cpu.second && { secondMs, secondCpuMs: total(cpu.second) };
    const times = { firstMs, cpuMs: total(cpu.first), ...second };
    yield {
      name,
      chromium: browser,
      adapter,
      ...times,
      ...count(pipelines),
      kernels: kernelsOf(alone?.pipelines ?? []),
    };
  }
}

const total = (times: Readonly<Record<string, number>>): number =>
  Object.values(times).reduce((sum, ms) => sum + ms, 0);

function startBrowser(...words: string[]): Promise<BrowserLine> {
  const script = fileURLToPath(new URL("../../../scripts/cold-browser.mjs", import.meta.url));
  const started = spawn(process.execPath, [script, ...words], { stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((resolve, reject) => {
    let line: BrowserLine | undefined;
    createInterface(started.stdout).on("line", (text) => {
      line = JSON.parse(text) as BrowserLine;
    });
    started.on("error", reject);
    started.on("close", (code) => {
      if (code === 0 && line) resolve(line);
      else reject(new Error(`cold start of ${words.at(-1)} in a browser ended with exit code ${code}.`));
    });
  });
}
