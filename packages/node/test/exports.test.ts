/** The surface of the package: a name is added or taken away on purpose only. */
import { join } from "node:path";
import { describeExports } from "../../kernels-wgsl/test/exportNames.ts";

describeExports(join(import.meta.dirname, ".."), { exports: "index.ts" });
