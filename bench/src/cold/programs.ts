/** What is started from nothing, in Node and in a page: the first thing that people do with each of them. */
import { type Config, createDenoiser, inspect, resolveConfig } from "@ddad/ddad";
import { makeDenoiser } from "../layers/denoisers.ts";
import { configOf, type Step } from "../layers/family.ts";
import { imageOfNoise } from "../layers/inspection.ts";

const small = (channelMultipliers: number[], attentionSizes: number[]): Config =>
  resolveConfig({
    data: { root: ".", imageSize: 32 },
    model: { baseChannels: 32, heads: 1, channelMultipliers, blocksPerLevel: 1, attentionSizes },
  });

/** The network and the images that `ddad demo` had at 32²: figures can be compared with earlier ones. */
export const demo = small([1, 2], [8]);

/** By name: makes the networks, and gives what is run. The device is there by then. */
export const coldPrograms: ReadonlyMap<string, () => Step> = new Map([
  ["smallest network 32²: training step, batch 4", () => trainingStep(small([1], []), 4)],
  ["demo: training step, batch 4", () => trainingStep(demo, 4)],
  ["demo: inspection of one image", () => inspection()],
  ["DDAD-S 64²: training step, batch 2", () => trainingStep(configOf(64, { protocol: "paper" }), 2)],
]);

const trainingStep = (config: Config, batch: number): Step => makeDenoiser(config, batch).steps[1]!;

function inspection(): Step {
  const denoiser = createDenoiser(demo).eval();
  const images = imageOfNoise(demo.data.imageSize);
  return async () => {
    for await (const _ of inspect({ config: demo, denoiser }, images));
    return [];
  };
}
