#!/usr/bin/env node
/** The command `ddad`. Exit code 0: done, 1: failed, 2: something that was given must change, 130: stopped by Ctrl-C. */
import { createProgram } from "./commands.ts";

/** Errors whose cure lies in what was given, by name: importing their classes would load everything. */
const wrongUse = new Set(["ConfigError", "DataError", "CheckpointError", "StateDictError", "CommanderError"]);

function report(error: unknown): number {
  if (!(error instanceof Error)) throw error;
  // Commander has already said what is wrong; asking for help is no error.
  if ("exitCode" in error && error.name === "CommanderError") return error.exitCode === 0 ? 0 : 2;
  for (const line of error.message.split("\n")) process.stderr.write(`error: ${line}\n`);
  if (process.env["DDAD_DEBUG"] !== undefined) process.stderr.write(`${error.stack}\n`);
  return wrongUse.has(error.name) ? 2 : 1;
}

let code: number;
try {
  await createProgram().parseAsync();
  code = Number(process.exitCode ?? 0);
} catch (error) {
  code = report(error);
}
// The GPU would keep the process alive; what was printed must be out first.
await new Promise((resolve) => process.stdout.write("", resolve));
process.exit(code);
