/** From good images to a defect that is found: train, calibrate on good images held out, inspect. */
import {
  calibrate,
  createDenoiser,
  falseAlarmThreshold,
  generateProcedural,
  inspect,
  type ProceduralSample,
  resolveConfig,
  stackImages,
  train,
} from "@ddad/ddad";
import { runDirectly } from "./run.ts";

const size = 16;

const named = (samples: readonly ProceduralSample[]) => ({
  ids: samples.map(({ split, kind, index }) => `${split}/${kind}/${index}`),
  images: stackImages(
    samples.map(({ image }) => image),
    samples.length,
    size,
  ),
});

export async function trainAndFindADefect() {
  const options = { category: "tile", size: 32, train: 40, testGood: 4, testPerDefect: 1 } as const;
  const samples = [...generateProcedural(options)];
  const good = samples.filter(({ split }) => split === "train");
  const heldOut = named(good.slice(32));

  // Small and short, to be done in seconds; without these settings it is the network of the paper.
  const config = resolveConfig({
    data: { root: "generated", imageSize: size },
    model: { baseChannels: 32, channelMultipliers: [1], blocksPerLevel: 1, attentionSizes: [] },
    training: { steps: 50, batchSize: 4, learningRate: 2e-3, ema: 0.95 },
    sampling: { draws: 16 }, // after so few steps one reconstruction is noisy: the mean of more
  });
  const { model } = await train({ config, train: named(good.slice(0, 32)), heldOut });

  using denoiser = createDenoiser(config).eval();
  denoiser.loadStateDict(model!.weights);
  const calibration = await calibrate({ denoiser, config }, heldOut);
  const threshold = falseAlarmThreshold(calibration.scores, 0.05); // of good images, 1 in 20 is called defective

  const verdicts = [];
  const tested = named(samples.filter(({ split }) => split === "test"));
  for await (const { id, score, map } of inspect({ denoiser, config, calibration }, tested)) {
    const peak = map.indexOf(score); // the score is the largest value of the map
    verdicts.push({ id, score, defective: score >= threshold, x: peak % size, y: Math.floor(peak / size) });
  }
  return { threshold, verdicts };
}

void runDirectly(import.meta.url, trainAndFindADefect);
