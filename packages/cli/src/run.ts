/** Runs one command and turns what goes wrong into sentences and an exit code. */
import { createProgram } from "./commands.ts";
import { describeFailure, forgetReached, isWrongUse } from "./failure.ts";
import { printable, rememberCommand } from "./terminal.ts";

/**
 * @returns the exit code: 0 done, 1 failed, 2 something that was given must change (also where a training diverged: a setting cures it),
 * 3 some images could not be inspected, 130 stopped by Ctrl-C.
 */
export async function run(args: readonly string[]): Promise<number> {
  rememberCommand(args);
  forgetReached();
  try {
    await createProgram().parseAsync(args, { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // Commander has already said what is wrong; to ask for help is no error.
    if ("exitCode" in error) return error.exitCode === 0 ? 0 : 2;
    for (const line of printable(describeFailure(error)).split("\n"))
      process.stderr.write(`error: ${line}\n`);
    if (process.env["DDAD_DEBUG"] !== undefined) process.stderr.write(`${error.stack}\n`);
    return isWrongUse(error) ? 2 : 1;
  } finally {
    process.exitCode = undefined;
  }
}
