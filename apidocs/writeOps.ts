/** Writes `docs/ops.md`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setupDevice } from "@ddad/nn";
import { operationsPage } from "./ops.ts";
import { readSurface } from "./surface.ts";

const device = await setupDevice(); // tensors are made, nothing runs
const entry = "tensor/src/index.ts";
writeFileSync(join(import.meta.dirname, "../docs/ops.md"), operationsPage(readSurface([entry]).get(entry)!));
device.destroy();
