#!/usr/bin/env node
// The command `ddad`. This file is committed, not built: npm links the commands of a workspace when it installs it, and leaves
// out those whose file does not exist yet. `npx ddad` would then ask the public registry for a package of that name.
import { existsSync } from "node:fs";

const main = new URL("../dist/main.js", import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  console.error("ddad: the program is not built yet. Run `npm run setup` in the repository first.");
  process.exitCode = 1;
}
