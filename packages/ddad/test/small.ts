/** A network and images small enough to train in a test. */
import { resolveConfig } from "../src/config/parse.ts";
import type { Config, ConfigInput } from "../src/config/schema.ts";
import type { ImageSet, NamedImages } from "../src/data/imageSet.ts";
import { uniform } from "../src/data/random.ts";

/** A configuration with 8 × 8 images, one level and three steps of the sampler. */
export function smallConfig(overrides: Partial<Omit<ConfigInput, "data" | "model">> = {}): Config {
  return resolveConfig({
    ...overrides,
    data: { root: "parts", imageSize: 8, heldOut: 0.25 },
    model: { baseChannels: 32, heads: 1, channelMultipliers: [1], blocksPerLevel: 1 },
    training: { steps: 6, batchSize: 4, warmup: 0, ...overrides.training },
    sampling: { start: 150, stride: 50, ...overrides.sampling },
    detection: { blurSigma: 0.5, ...overrides.detection },
  });
}

/** Images of one smooth colour ramp each, with a little grain. */
export function smallImages(count: number, seed: number): NamedImages {
  const size = 8;
  const data = Uint8Array.from({ length: count * size * size * 3 }, (_, i) => {
    const image = Math.floor(i / (size * size * 3));
    const ramp = ((i / 3) % size) / size;
    return 255 * (0.2 + 0.5 * ramp * uniform(seed, image) + 0.1 * uniform(seed, image, i));
  });
  const images: ImageSet = { count, size, data };
  return { images, ids: Array.from({ length: count }, (_, i) => `train/good/${seed}-${i}.png`) };
}
