/** Running sum along an axis. */
import { scan, scanCases } from "./scan.ts";

export type { ScanAttrs } from "./scan.ts";

const forwards = { reverse: false, exclusive: false } as const;

/**
 * yᵢ = x₀ + … + xᵢ along an axis (without xᵢ where exclusive; from the other end where reversed). Input x of any type but bool; output y
 * of its shape and type. f16 is added up in f32.
 */
export const cumsum = scan({
  name: "cumsum",
  operator: "+",
  identity: 0,
  cases: [
    ...scanCases((_index, uniform) => 2 * uniform() - 1),
    { name: "exactly the lanes", inputs: { x: [2, 64] }, attrs: { axis: 1, ...forwards } },
    {
      name: "i32",
      inputs: { x: { shape: [2, 70], dtype: "i32", fill: (i) => i - 60 } },
      attrs: { axis: 1, ...forwards },
    },
    {
      name: "u32, first axis",
      inputs: { x: { shape: [70, 2], dtype: "u32" } },
      attrs: { axis: 0, reverse: true, exclusive: true },
    },
    { name: "f16", inputs: { x: { shape: [3, 70], dtype: "f16" } }, attrs: { axis: 1, ...forwards } },
    { name: "one long row", inputs: { x: [10007] }, attrs: { axis: 0, ...forwards } },
    {
      name: "a long row of equal values",
      inputs: { x: { shape: [1e5], fill: () => 0.1 } },
      attrs: { axis: 0, ...forwards },
    },
    { name: "[512, 1024]", inputs: { x: [512, 1024] }, attrs: { axis: 1, ...forwards }, bench: true },
  ],
  refusals: [],
});
