/** What is started from nothing: the first thing that people do with each of them. */
import { createDenoiser, inspect, resolveConfig } from "@ddad/ddad";
import { makeDenoiser } from "../layers/denoisers.ts";
import { configOf, type Step } from "../layers/family.ts";
import { imageOfNoise } from "../layers/inspection.ts";

/** The network and the images of `ddad demo`. */
const demo = resolveConfig({
  data: { root: ".", imageSize: 32 },
  model: { baseChannels: 32, heads: 1, channelMultipliers: [1, 2], blocksPerLevel: 1, attentionSizes: [8] },
});

/** By name: makes the networks, and gives what is run. The device is there by then. */
export const coldPrograms: ReadonlyMap<string, () => Step> = new Map([
  ["demo: training step, batch 4", () => makeDenoiser(demo, 4).steps[1]!],
  ["demo: inspection of one image", () => inspection()],
  [
    "DDAD-S 64²: training step, batch 2",
    () => makeDenoiser(configOf(64, { protocol: "paper" }), 2).steps[1]!,
  ],
]);

function inspection(): Step {
  const denoiser = createDenoiser(demo).eval();
  const images = imageOfNoise(demo.data.imageSize);
  return async () => {
    for await (const _ of inspect({ config: demo, denoiser }, images));
    return [];
  };
}
