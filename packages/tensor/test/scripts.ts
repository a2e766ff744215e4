/** Runs scripts in processes of their own. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Lines that a script beside this file prints. */
export const linesOf = (script: string, ...args: string[]): Promise<string[]> =>
  linesWith({}, script, ...args);

/** The same with more in the environment. */
export async function linesWith(
  environment: Readonly<Record<string, string>>,
  script: string,
  ...args: string[]
): Promise<string[]> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...process.execArgv, "--import", "tsx", path, ...args],
    { env: { ...process.env, ...environment } },
  );
  return stdout.trim().split("\n");
}
