import { resolveConfig } from "@ddad/ddad";
import { setupDevice } from "@ddad/nn";
import { findImages, openModel, predict, trainRun, writeProcedural } from "@ddad/node";

const device = await setupDevice();
const root = writeProcedural("runs/example/data", { category: "tile", size: 32, train: 40, testGood: 4 });
const config = resolveConfig({
  data: { root, imageSize: 16 },
  model: { baseChannels: 32, channelMultipliers: [1], blocksPerLevel: 1, attentionSizes: [] },
  training: { steps: 50, batchSize: 4, learningRate: 2e-3, ema: 0.95 },
});

const cancel = new AbortController();
process.once("SIGINT", () => cancel.abort());
const { stopped } = await trainRun("runs/example", config, {
  signal: cancel.signal,
  onEvent(event) {
    if (event.type === "notice") console.log(event.message);
    if (event.type === "progress" && event.ended) console.log(`${event.task}: ${event.done} ${event.unit}`);
  },
});
if (stopped) console.log("Stopped. The state is in runs/example; trainRun resumes from it.");

const { model } = await openModel("runs/example");
for await (const { file, score, decision } of predict(model, findImages(`${root}/test`), {
  out: "runs/example/predictions",
}))
  console.log(file, score.toFixed(2), decision);
device.destroy();
