/** Programs that are measured whole, from the start of their process to its end: nothing in them knows of it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { ProcessCost } from "./probe.ts";
import { fileHere, runNode, withFolder } from "./processes.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** One run of a process. */
export interface WholeRun extends ProcessCost {
  readonly wallMs: number;
}

/** Runs a program with a cache folder; a second time with the same folder is a warm start. `watch` is a query of `probe.ts`. */
export type RunWhole = (cache: string, watch?: "" | "?count" | "?alone") => Promise<WholeRun>;

/** One of them. */
export interface WholeProgram {
  readonly name: string;
  /** Gives `use` what runs the program, while the files that it needs are there. */
  with<T>(use: (run: RunWhole) => Promise<T>): Promise<T>;
}

const runner =
  (wordsOf: (cache: string) => readonly string[]): RunWhole =>
  async (cache, watch = "") => {
    const probe = `${pathToFileURL(fileHere("probe")).href}${watch}`;
    const { wallMs, report } = await runNode(["--import", probe, ...wordsOf(cache)], { cache, cwd: root });
    return { wallMs, ...(JSON.parse(report) as ProcessCost) };
  };

/** README's program, as it stands. */
const twentyLines: WholeProgram = {
  name: "README's twenty lines, 20 steps",
  with: (use) => {
    // It has no types, so that Node runs it without a compiler.
    const text = readFileSync(join(root, "examples/twentyLines.ts"), "utf8");
    return use(runner(() => ["--input-type=module", "--eval", text]));
  },
};

const predict: WholeProgram = {
  name: "ddad predict, one image",
  with: (use) =>
    withFolder(async (folder) => {
      await runNode([fileHere("smallModel"), folder], { cache: join(folder, "cache") });
      const image = join(folder, "images/tile/test/good/000.png");
      const command = ["packages/cli/bin/ddad.js", "predict", "--checkpoint", join(folder, "model")];
      return await use(
        runner(() => [...command, "--out", join(folder, "predictions"), "--overwrite", image]),
      );
    }),
};

/** All of them. */
export const wholePrograms: readonly WholeProgram[] = [twentyLines, predict];
