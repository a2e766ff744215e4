/**
 * Trains in a process of its own, whose device has held nothing before, and prints, as JSON, what was planned and what the device
 * counted. Arguments: the configuration as JSON, optimiser steps, held-out images to validate with (0 does not).
 */
import { memory, setupDevice } from "@ddad/nn";
import { resolveConfig } from "../src/config/parse.ts";
import type { NamedImages } from "../src/data/imageSet.ts";
import { Trainer } from "../src/training/trainer.ts";

const [settings, steps, heldOut] = process.argv.slice(2) as [string, string, string];
const config = resolveConfig(JSON.parse(settings));
const size = config.data.imageSize;
const imagesOf = (count: number): NamedImages => ({
  images: {
    count,
    size,
    data: Uint8Array.from({ length: count * size * size * 3 }, (_, i) => (i * 31) % 251),
  },
  ids: Array.from({ length: count }, (_, k) => `${k}.png`),
});

await setupDevice();
const clock = performance.now();
const trainer = await Trainer.create(config, imagesOf(4));
const created = { milliseconds: performance.now() - clock, counted: memory() };
const losses: number[] = [];
const began = performance.now();
for (let step = 0; step < Number(steps); step++) losses.push(await trainer.takeStep());
const milliseconds = performance.now() - began;
if (Number(heldOut) > 0) await trainer.validate(imagesOf(Number(heldOut)));
const rss = process.resourceUsage().maxRSS * 1024;
console.log(
  JSON.stringify({ planned: trainer.memory, created, losses, milliseconds, counted: memory(), rss }),
);
