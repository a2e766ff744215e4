/**
 * Makes what `ddad predict` is measured with: generated images, and a model of the demo's network after one step of training, calibrated.
 *   node smallModel.js FOLDER
 */
import { join } from "node:path";
import { resolveConfig } from "@ddad/ddad";
import { trainRun, writeProcedural } from "@ddad/node";
import { demo } from "./programs.ts";

const [folder = "."] = process.argv.slice(2);
const root = writeProcedural(join(folder, "images"), {
  category: "tile",
  size: 64,
  train: 20,
  testGood: 1,
  testPerDefect: 1,
});
const config = resolveConfig({
  data: { root, imageSize: demo.data.imageSize },
  model: demo.model,
  training: { steps: 1, batchSize: 4, checkpointEvery: 1 },
});
await trainRun(join(folder, "model"), config);
process.exit(0);
