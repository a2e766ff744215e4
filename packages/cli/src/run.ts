/** Runs one command and turns what goes wrong into sentences and an exit code. */
import { createProgram } from "./commands.ts";
import { rememberCommand } from "./terminal.ts";

/** Errors whose cure lies in what was given, by name: importing their classes would load everything. */
const wrongUse = new Set([
  "ConfigError",
  "DataError",
  "CheckpointError",
  "StateDictError",
  "MemoryBudgetError",
]);

/** @returns the exit code: 0 done, 1 failed, 2 something that was given must change, 130 stopped by Ctrl-C. */
export async function run(args: readonly string[]): Promise<number> {
  rememberCommand(args);
  try {
    await createProgram().parseAsync(args, { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // Commander has already said what is wrong; to ask for help is no error.
    if ("exitCode" in error) return error.exitCode === 0 ? 0 : 2;
    for (const line of error.message.split("\n")) process.stderr.write(`error: ${line}\n`);
    if (process.env["DDAD_DEBUG"] !== undefined) process.stderr.write(`${error.stack}\n`);
    return wrongUse.has(error.name) ? 2 : 1;
  } finally {
    process.exitCode = undefined;
  }
}
