import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resolveConfig } from "@ddad/ddad";
import { setupDevice } from "@ddad/nn";
import { findImages, openModel, predict, trainRun, writeProcedural } from "@ddad/node";

const device = await setupDevice();
const run = mkdtempSync(join(tmpdir(), "ddad-"));
const root = writeProcedural(join(run, "data"), { category: "tile", size: 32, train: 40, testGood: 4 });
const config = resolveConfig({
  data: { root, imageSize: 16 },
  model: { baseChannels: 32, channelMultipliers: [1], blocksPerLevel: 1, attentionSizes: [] },
  training: { steps: 50, batchSize: 4, learningRate: 2e-3, ema: 0.95 },
});

const cancel = new AbortController();
process.once("SIGINT", () => cancel.abort());
const { stopped } = await trainRun(run, config, {
  signal: cancel.signal,
  onEvent(event) {
    if (event.type === "notice") console.log(event.message);
    if (event.type === "progress" && event.ended) console.log(`${event.task}: ${event.done} ${event.unit}`);
  },
});
if (stopped) console.log(`Stopped. The state is in ${run}; trainRun resumes from it.`);

const { model } = await openModel(run);
for await (const found of predict(model, findImages(`${root}/test`), {
  out: join(run, "predictions"),
}))
  console.log(found.file, "error" in found ? found.error : `${found.score.toFixed(2)} ${found.decision}`);
device.destroy();
