/** The command `ddad`: `bin/ddad.js` loads this. */
import { run } from "./run.ts";

const code = await run(process.argv.slice(2));
// What was printed must be out before the process ends; the GPU would keep it alive for ever.
await new Promise((resolve) => process.stdout.write("", resolve));
process.exit(code);
