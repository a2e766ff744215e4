/** Lets the file of an example be a program as well: `npm run example fitACurve`. */
import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { setupDevice } from "@ddad/nn";

/** Runs `example` and prints its outcome if the file at `url` is what Node was started with; else does nothing. */
export async function runDirectly(url: string, example: () => Promise<unknown>): Promise<void> {
  const [, started] = process.argv;
  if (started === undefined || realpathSync(started) !== fileURLToPath(url)) return;
  const device = await setupDevice();
  const outcome = await example();
  console.log(typeof outcome === "string" ? outcome : inspect(outcome, { depth: 3, maxArrayLength: 12 }));
  device.destroy(); // Node stays alive as long as the device does.
}
