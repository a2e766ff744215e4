/** Processes that measure: each with the folders for caches that it is given, and nothing that `tune` remembers. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What a process left. */
export interface Ended {
  /** From its start to its end, in milliseconds. */
  readonly wallMs: number;
  /** What it wrote to standard output. */
  readonly output: string;
  /** What it wrote to file descriptor 3. */
  readonly report: string;
}

/** A file of this folder, as it is run: built, or from the sources. */
export const fileHere = (name: string): string =>
  fileURLToPath(new URL(`${name}.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url));

/** Runs `node`. Rejects where it does not end with exit code 0. */
export function runNode(
  words: readonly string[],
  { cache, cwd }: { readonly cache: string; readonly cwd?: string | undefined },
): Promise<Ended> {
  const env = { ...process.env, MESA_SHADER_CACHE_DIR: cache, XDG_CACHE_HOME: cache, DDAD_TUNING: "off" };
  const start = performance.now();
  const started = spawn(process.execPath, [...process.execArgv, ...words], {
    env,
    cwd,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const texts = ["", "", ""];
  for (const [index, stream] of [started.stdout, started.stderr, started.stdio[3]].entries()) {
    stream?.on("data", (part) => {
      texts[index] += part;
    });
  }
  return new Promise((resolve, reject) => {
    started.on("error", reject);
    started.on("close", (code) => {
      const wallMs = performance.now() - start;
      if (code === 0) resolve({ wallMs, output: texts[0]!, report: texts[2]! });
      else
        reject(new Error(`node ${words.join(" ")}: the process ended with exit code ${code}.\n${texts[1]}`));
    });
  });
}

/** A new folder that is removed afterwards. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "ddad-cold-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
