/** Running product along an axis. */
import { scan, scanCases } from "./scan.ts";

/** Near ±1, so that long products stay within range. */
const nearOne = (index: number, uniform: () => number): number =>
  (index % 5 ? 1 : -1) * (1 + 0.2 * (uniform() - 0.5));

const forwards = { reverse: false, exclusive: false } as const;

/**
 * yᵢ = x₀ · … · xᵢ along an axis (without xᵢ where exclusive; from the other end where reversed). Input x of any type but bool; output y
 * of its shape and type. f16 is multiplied in f32.
 */
export const cumprod = scan({
  name: "cumprod",
  operator: "*",
  identity: 1,
  tolerance: 1e-4,
  cases: [
    ...scanCases(nearOne),
    {
      name: "with a zero in the middle",
      inputs: {
        x: { shape: [3, 70], fill: (index, uniform) => (index % 70 === 40 ? 0 : nearOne(index, uniform)) },
      },
      attrs: { axis: 1, ...forwards },
    },
    {
      name: "i32",
      inputs: { x: { shape: [2, 70], dtype: "i32", fill: (i) => (i % 11 ? 1 : -2) } },
      attrs: { axis: 1, ...forwards },
    },
    {
      name: "f16, first axis",
      inputs: { x: { shape: [70, 2], dtype: "f16", fill: nearOne } },
      attrs: { axis: 0, reverse: true, exclusive: true },
    },
    {
      name: "[512, 1024]",
      inputs: { x: { shape: [512, 1024], fill: (index) => (index % 3 ? 1.01 : 0.98) } },
      attrs: { axis: 1, ...forwards },
      // The rounding errors of a thousand factors add up.
      tolerance: 1e-4,
      bench: true,
    },
  ],
  refusals: [],
});
