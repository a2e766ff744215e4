/**
 * Calibrates on made-up images in a process of its own and prints, as JSON, how much memory that took.
 * Arguments: images, side in pixels, bytes of distances to remember (as many as by default, without it).
 */
import { setupDevice } from "@ddad/nn";
import { resolveConfig } from "../src/config/parse.ts";
import { calibrate } from "../src/detection/calibrate.ts";

const [count, side, cacheBytes] = process.argv.slice(2).map(Number) as [number, number, number?];
await setupDevice();
const config = resolveConfig({
  data: { root: "none", imageSize: side },
  model: { channelMultipliers: [1] },
  sampling: { start: 100, stride: 100 },
  features: { network: "resnet18" },
  detection: { blurSigma: 1 },
});
const detector: Parameters<typeof calibrate>[0] = {
  config,
  denoiser: { forward: (x) => x.mul(0.1) },
  extractor: { features: (x, names) => Object.fromEntries(names.map((name) => [name, x])) as never },
};
const data = Uint8Array.from(
  { length: count * side * side * 3 },
  (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24,
);
const images = {
  images: { count, size: side, data },
  ids: Array.from({ length: count }, (_, i) => `${i}.png`),
};
const options = cacheBytes === undefined ? {} : { cacheBytes };
const rss = (): number => process.resourceUsage().maxRSS * 1024;
// What the device and the recorded programs take is not what grows with the images.
await calibrate(detector, { ...images, ids: images.ids.slice(0, 4) }, options);
const before = rss();
const started = performance.now();
await calibrate(detector, images, options);
console.log(JSON.stringify({ before, peak: rss(), milliseconds: performance.now() - started }));
