/** Kernels that work along axes on random shapes, types and values, all variants: zero extents, NaN, infinities and −0 included. */

import * as library from "@ddad/kernels-wgsl";
import {
  admits,
  type DType,
  type Kernel,
  all as kernelAll,
  any as kernelAny,
  prepareCase,
  type ReferenceValues,
  show,
  sizeOf,
  uniformGenerator,
  usualVariants,
} from "@ddad/kernels-wgsl";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import { compare, runVariant } from "./harness.ts";

const uniform = uniformGenerator(5);
const below = (count: number): number => Math.floor(count * uniform());
const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;

/** One to four extents, now and then zero or long. */
function randomShape(): number[] {
  const shape = Array.from({ length: 1 + below(4) }, () => pick([1, 2, 3, 4, 5, 7, 8, 12]));
  if (uniform() < 0.12) shape[below(shape.length)] = 0;
  else if (sizeOf(shape) < 600 && uniform() < 0.5)
    shape[below(shape.length)] = pick([16, 33, 64, 65, 257, 300]);
  return shape;
}

const specials = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 1, -1];
const special = (_index: number, random: () => number): number =>
  random() < 0.03 ? specials[Math.floor(random() * specials.length)]! : 2 * random() - 1;
const small = (_index: number, random: () => number): number => Math.floor(3 * random());
const nearOne = (_index: number, random: () => number): number => 1 + 0.05 * (random() - 0.5);

const floats = ["f32", "f16"] as const;
const numbers = ["f32", "f16", "i32", "u32"] as const;
const everything = ["f32", "f16", "i32", "u32", "bool"] as const;

type Fill = (index: number, random: () => number) => number;
interface Subject {
  readonly kernel: unknown;
  readonly dtypes: readonly DType[];
  readonly along: "axes" | "axis";
  readonly attrs?: () => object;
  /** Values of floats. */
  readonly fill: Fill;
}

const flag = (): boolean => uniform() < 0.5;
const scan = () => ({ reverse: flag(), exclusive: flag() });
const subjects: Readonly<Record<string, Subject>> = {
  sum: { kernel: library.sum, dtypes: everything, along: "axes", fill: special },
  prod: { kernel: library.prod, dtypes: floats, along: "axes", fill: nearOne },
  max: { kernel: library.max, dtypes: everything, along: "axes", fill: special },
  min: { kernel: library.min, dtypes: everything, along: "axes", fill: special },
  any: { kernel: kernelAny, dtypes: ["bool"], along: "axes", fill: small },
  all: { kernel: kernelAll, dtypes: ["bool"], along: "axes", fill: small },
  argmax: { kernel: library.argmax, dtypes: everything, along: "axis", fill: special },
  argmin: { kernel: library.argmin, dtypes: everything, along: "axis", fill: special },
  sort: {
    kernel: library.sort,
    dtypes: everything,
    along: "axis",
    fill: special,
    attrs: () => ({ descending: flag() }),
  },
  softmax: { kernel: library.softmax, dtypes: floats, along: "axis", fill: special },
  logSoftmax: { kernel: library.logSoftmax, dtypes: floats, along: "axis", fill: special },
  cumsum: { kernel: library.cumsum, dtypes: numbers, along: "axis", fill: special, attrs: scan },
  cumprod: { kernel: library.cumprod, dtypes: floats, along: "axis", fill: nearOne, attrs: scan },
};

/** Kernels that have no answer where there is nothing along the axes: a refusal that the kernels' own tests look at. */
const needsElements = new Set(["max", "min", "argmax", "argmin"]);

describe("kernels along axes, at random", () => {
  for (const [name, { kernel, dtypes, along, attrs, fill }] of Object.entries(subjects)) {
    for (let k = 0; k < 8; k++) {
      const dtype = dtypes[k % dtypes.length]!;
      const shape = randomShape();
      const axes = shape.map((_, axis) => axis).filter(flag);
      const axis = below(shape.length);
      const reduced = along === "axis" ? [axis] : axes;
      if (needsElements.has(name) && reduced.some((of) => shape[of] === 0)) continue;
      const given = { ...(along === "axis" ? { axis } : { axes }), ...attrs?.() };
      it(`${name} of ${dtype} ${show(shape)} ${JSON.stringify(given)}`, async function () {
        const { gpu, capabilities } = testDevice();
        if (dtype === "f16" && !capabilities.f16) {
          console.log("    skipped: this adapter has no shader-f16");
          return this.skip();
        }
        const one = kernel as Kernel;
        const input = { shape, dtype, fill: floats.some((of) => of === dtype) ? fill : small };
        const { call, values } = prepareCase(one, { inputs: { x: input }, attrs: given }, k + 1);
        const expected = one.reference(values, call) as Record<string, ReferenceValues>;
        for (const variant of usualVariants(one)) {
          const settings = [capabilities, { ...capabilities, adapterClass: "discrete" as const }];
          const caps = settings.find((setting) => admits(variant, setting, call));
          if (!caps) continue;
          const got = await runVariant(gpu, caps, one, variant, call, values);
          for (const [output, { dtype: type }] of Object.entries(call.outputs))
            compare(`${name}/${variant.name}: ${output}`, got[output]!, expected[output]!, type, 1e-5);
        }
      });
    }
  }
});
