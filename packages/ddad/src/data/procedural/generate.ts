/** Draws the data set that ships with the package: good and defective images with their ground truth, from a seed. */
import type { Image } from "../../images/image.ts";
import { hashText } from "../random.ts";
import { type Defect, type DefectKind, defectKinds, defects } from "./defects.ts";
import { createRandom, mixColor } from "./noise.ts";
import { type ProceduralCategory, proceduralCategories, type Scene, scenes } from "./scenes.ts";

/** What to draw: of what, how large and how many. */
export type ProceduralOptions = {
  category: ProceduralCategory;
  /** Side of the square images, 32 … 256; 64 without it. */
  size?: number;
  /** Good images to train on; 60 without it. */
  train?: number;
  /** Good images to test on; 12 without it. */
  testGood?: number;
  /** Defective images of each of the four kinds; 5 without it. */
  testPerDefect?: number;
  /** 0 without it. The same options and seed give the same bytes. */
  seed?: number;
};

/** One drawn image and what is known of it. */
export type ProceduralSample = {
  split: "train" | "test";
  kind: "good" | DefectKind;
  /** Number within its split and kind. */
  index: number;
  /** RGB. */
  image: Image;
  /** Gray, 255 where defective; absent for good ones. */
  mask?: Image;
};

/** Generates a data set image by image. @throws RangeError for an unknown category or an impossible number. */
export function* generateProcedural(options: ProceduralOptions): Generator<ProceduralSample> {
  const { category, size = 64, train = 60, testGood = 12, testPerDefect = 5, seed = 0 } = options;
  if (!proceduralCategories.includes(category)) {
    throw new RangeError(
      `generateProcedural: there is no category "${category}"; there are ${proceduralCategories.join(", ")}.`,
    );
  }
  if (!Number.isInteger(size) || size < 32 || size > 256) {
    throw new RangeError(`generateProcedural: size must be a whole number from 32 to 256, but is ${size}.`);
  }
  for (const [name, count] of Object.entries({ train, testGood, testPerDefect })) {
    if (!Number.isInteger(count) || count < 0) {
      throw new RangeError(
        `generateProcedural: ${name} must be a whole number of at least 0, but is ${count}.`,
      );
    }
  }
  const draw = (split: "train" | "test", kind: "good" | DefectKind, index: number): ProceduralSample => {
    const random = createRandom(seed, hashText(`${category}/${split}/${kind}`), index);
    const scene = scenes[category](Math.floor(random() * 2 ** 31));
    const defect = kind === "good" ? undefined : defects[kind](scene, random, size);
    return { split, kind, index, ...render(scene, defect, size) };
  };
  for (let i = 0; i < train; i++) yield draw("train", "good", i);
  for (let i = 0; i < testGood; i++) yield draw("test", "good", i);
  for (const kind of defectKinds) for (let i = 0; i < testPerDefect; i++) yield draw("test", kind, i);
}

/** Fraction of a pixel from which on it counts as defective. */
const maskFraction = 0.1;

/** Draws a scene, with or without a defect, averaging a grid of points in every pixel. */
export function render(
  scene: Scene,
  defect: Defect | undefined,
  size: number,
): { image: Image; mask?: Image } {
  const grid = size > 128 ? 2 : 3;
  const data = new Uint8ClampedArray(size * size * 3);
  const mask = new Uint8Array(size * size);
  for (let pixel = 0; pixel < size * size; pixel++) {
    const sum = [0, 0, 0];
    let fraction = 0;
    for (let point = 0; point < grid * grid; point++) {
      const u = ((pixel % size) + ((point % grid) + 0.5) / grid) / size;
      const v = (Math.floor(pixel / size) + (Math.floor(point / grid) + 0.5) / grid) / size;
      const good = scene.color(u, v);
      const coverage = defect && scene.solid(u, v) ? defect.coverage(u, v) : 0;
      const color = coverage > 0 ? mixColor(good, defect!.color(u, v, good), coverage) : good;
      for (let c = 0; c < 3; c++) sum[c]! += color[c]!;
      fraction += coverage;
    }
    for (let c = 0; c < 3; c++) data[pixel * 3 + c] = (sum[c]! / (grid * grid)) * 255;
    if (fraction >= maskFraction * grid * grid) mask[pixel] = 255;
  }
  const image: Image = { width: size, height: size, channels: 3, data: new Uint8Array(data.buffer) };
  return defect ? { image, mask: { width: size, height: size, channels: 1, data: mask } } : { image };
}
