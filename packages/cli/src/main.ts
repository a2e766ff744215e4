/** The command `ddad`: `bin/ddad.js` loads this. */
import { deviceIsIdle, endAtOnce, interrupted } from "./interrupt.ts";
import { run } from "./run.ts";

const code = await run(process.argv.slice(2));
// What was printed must be out before the process ends; the GPU would keep it alive for ever.
await new Promise((resolve) => process.stdout.write("", resolve));
// After Ctrl-C the GPU may still compute what is no longer wanted.
if (code === interrupted && !(await deviceIsIdle())) endAtOnce();
process.exit(code);
