/** Adapts in a process of its own and prints, as JSON, what was planned and what the device counted. Argument: sampling.eta. */
import { evaluate, memory, resnet18, setupDevice } from "@ddad/nn";
import { adapt } from "../src/adaptation/adapt.ts";
import { resolveConfig } from "../src/config/parse.ts";
import type { NamedImages } from "../src/data/imageSet.ts";
import { createDenoiser } from "../src/diffusion/denoiser.ts";
import type { PlannedMemory } from "../src/memory/planned.ts";

await setupDevice();
const size = 64;
const config = resolveConfig({
  data: { root: "parts", imageSize: size },
  model: { baseChannels: 32, heads: 1, channelMultipliers: [1, 2], blocksPerLevel: 1, attentionSizes: [8] },
  sampling: { start: 100, stride: 50, eta: Number(process.argv[2]) },
  features: { network: "resnet18" },
  adaptation: { steps: 2, batchSize: 8, checkEvery: 1 },
});
const imagesOf = (count: number): NamedImages => ({
  images: {
    count,
    size,
    data: Uint8Array.from({ length: count * size * size * 3 }, (_, i) => (i * 31) % 251),
  },
  ids: Array.from({ length: count }, (_, k) => `${k}.png`),
});
const denoiser = createDenoiser(config).eval();
const extractor = resnet18({ lastLayer: "layer3", seed: 4 });
await evaluate(...extractor.namedState().values(), ...denoiser.namedState().values());
let planned: PlannedMemory | undefined;
let counted = memory();
await adapt({
  ...{ config, denoiser, extractor, train: imagesOf(8), heldOut: imagesOf(4) },
  onMemory: (memory) => {
    planned = memory;
  },
  onProgress: () => {
    counted = memory();
  },
});
console.log(JSON.stringify({ planned, counted }));
