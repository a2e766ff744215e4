import * as ddad from "@ddad/ddad";
import { setupDevice } from "@ddad/nn";

const device = await setupDevice(); // navigator.gpu, or Dawn in Node
const size = 16;
const samples = [...ddad.generateProcedural({ category: "tile", size: 32, train: 40, testGood: 4 })];
const stack = (some: ddad.ProceduralSample[]) => ({
  ids: some.map(({ split, kind, index }) => `${split}/${kind}/${index}`),
  images: ddad.stackImages(
    some.map(({ image }) => image),
    some.length,
    size,
  ), // [N, 16, 16, 3]
});
const good = samples.filter(({ split }) => split === "train");
const validation = stack(good.slice(32));

const config = ddad.resolveConfig({
  data: { root: "generated", imageSize: size },
  model: { baseChannels: 32, channelMultipliers: [1], blocksPerLevel: 1, attentionSizes: [] },
  training: { steps: 50, batchSize: 4, learningRate: 2e-3, ema: 0.95 },
});
const { model } = await ddad.train({ config, train: stack(good.slice(0, 32)), heldOut: validation });
const denoiser = ddad.createDenoiser(config).eval();
denoiser.loadStateDict(model!.weights);
const calibration = await ddad.calibrate({ denoiser, config }, validation);
const threshold = ddad.falseAlarmThreshold(calibration.scores, 0.05); // 1 in 20 good images

const tested = stack(samples.filter(({ split }) => split === "test"));
for await (const { id, score } of ddad.inspect({ denoiser, config, calibration }, tested)) {
  console.log(id, score.toFixed(2), score >= threshold ? "defective" : "good");
}
device.destroy();
