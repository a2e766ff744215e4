/**
 * Standard normal numbers by Box and Muller's method: of two words `u = (⌊word/2⁸⌋ + 1)/2²⁴ ∈ (0, 1]` and
 * `v = ⌊word/2⁸⌋/2²⁴`, `√(−2 ln u) cos 2πv` and `√(−2 ln u) sin 2πv`. The largest possible is 5.77. Element `j` of row `n`
 * depends on `key[n]` and `j` only, as in `randomUniform`.
 *
 * WGSL allows `cos` an error of 2⁻¹¹ and `log` one of 2⁻²¹ near 1 (where it may even turn positive), which would make noise
 * differ between GPUs in the fourth digit. Both are therefore written out: exact reduction of the argument (whole bits of
 * the word), then a polynomial. What remains is rounding and WGSL's bounds for `sqrt` and division, some 10⁻⁶.
 */
import { defineKernel } from "../kernel.ts";
import { bytesOf, sizeOf, spec } from "../spec.ts";
import { anyWord } from "./philox.ts";
import { checkRows, drawParams, drawParamsOf, drawPass, drawRows, type RandomRowsAttrs } from "./rows.ts";

const code = /* wgsl */ `
// −ln u for u = n / 2^24, n = 1 … 2^24. With n = m · 2^e and m in [√½, √2): ln m = 2 artanh((m − 1)/(m + 1)), whose series
// ends after s^9 (the next term is below 10^-9). m − 1 is exact, so small results keep all their digits.
fn minusLog(n: vec2<u32>) -> vec2<f32> {
  let bits = bitcast<vec2<u32>>(vec2<f32>(n));
  let exponent = bitcast<vec2<i32>>(bits - 0x3f3504f3u) >> vec2<u32>(23);
  let m = bitcast<vec2<f32>>(bits - bitcast<vec2<u32>>(exponent << vec2<u32>(23)));
  let s = (m - 1.0) / (m + 1.0);
  let q = s * s;
  let tail = s * q * (2.0 / 3.0 + q * (2.0 / 5.0 + q * (2.0 / 7.0 + q * (2.0 / 9.0))));
  return f32(${Math.LN2}) * vec2<f32>(24 - exponent) - (2.0 * s + tail);
}

// cos and sin of 2πn / 2^24: the nearest quarter turn exactly, then Taylor's series within ±π/4 (the rest is below 2·10^-9).
fn cosSin(n: u32) -> vec2<f32> {
  let quarter = (n + (1u << 21u)) >> 22u;
  let angle = f32(i32(n) - i32(quarter << 22u)) * f32(${(2 * Math.PI) / 2 ** 24});
  let q = angle * angle;
  let sine = angle + angle * q * (-1.0 / 6.0 + q * (1.0 / 120.0 + q * (-1.0 / 5040.0 + q * (1.0 / 362880.0))));
  let cosine = 1.0 + q * (-0.5 + q * (1.0 / 24.0 + q * (-1.0 / 720.0 + q * (1.0 / 40320.0 + q * (-1.0 / 3628800.0)))));
  let turned = select(vec2<f32>(cosine, sine), vec2<f32>(-sine, cosine), (quarter & 1u) == 1u);
  return select(turned, -turned, (quarter & 2u) == 2u);
}

fn draw(words: vec4<u32>) -> vec4<f32> {
  let n = words >> vec4<u32>(8);
  let radius = sqrt(2.0 * minusLog(n.xz + 1u));
  return vec4<f32>(radius.x * cosSin(n.y), radius.y * cosSin(n.w));
}
`;

/** Input key [N, 4] (u32: seed, seed, stream, step); output y [N, …] (f32). */
export const randomNormal = defineKernel({
  name: "randomNormal",
  inputs: ["key"],
  outputs: ["y"],
  params: drawParams,
  infer({ key }, attrs: RandomRowsAttrs) {
    checkRows("randomNormal", key, attrs);
    return { outputs: { y: spec(attrs.shape) }, params: drawParamsOf(attrs.shape) };
  },
  variants: [{ name: "direct", passes: (caps, { attrs }) => [drawPass(caps, attrs.shape, "normal", code)] }],
  reference: ({ key }, { attrs }) => ({
    y: drawRows(key, attrs.shape, "normal", (words) =>
      [0, 2].flatMap((pair) => {
        const radius = Math.sqrt(-2 * Math.log(((words[pair]! >>> 8) + 1) / 2 ** 24));
        const angle = (2 * Math.PI * (words[pair + 1]! >>> 8)) / 2 ** 24;
        return [radius * Math.cos(angle), radius * Math.sin(angle)];
      }),
    ),
  }),
  // About 60 for two pairs; some 200 integer operations of a block are not counted.
  cost: ({ inputs, outputs }) => ({
    flops: 15 * sizeOf(outputs.y.shape),
    bytes: bytesOf(inputs.key) + bytesOf(outputs.y),
  }),
  cases: [
    {
      name: "one element",
      inputs: { key: { shape: [1, 4], dtype: "u32", fill: anyWord } },
      attrs: { shape: [1] },
    },
    {
      name: "odd rows",
      inputs: { key: { shape: [3, 4], dtype: "u32", fill: anyWord } },
      attrs: { shape: [3, 7, 5] },
    },
    {
      name: "rows by four",
      inputs: { key: { shape: [5, 4], dtype: "u32", fill: anyWord } },
      attrs: { shape: [5, 8] },
    },
    {
      name: "many draws",
      inputs: { key: { shape: [1, 4], dtype: "u32", fill: anyWord } },
      attrs: { shape: [1, 200003] },
    },
    {
      name: "noise of images",
      inputs: { key: { shape: [2, 4], dtype: "u32", fill: anyWord } },
      attrs: { shape: [2, 64, 64, 3] },
      bench: true,
    },
    {
      name: "noise of large images",
      inputs: { key: { shape: [8, 4], dtype: "u32", fill: anyWord } },
      attrs: { shape: [8, 256, 256, 3] },
      bench: true,
      benchOnly: true,
    },
  ],
  refusals: [
    {
      inputs: { key: { shape: [4], dtype: "u32" } },
      attrs: { shape: [1] },
      message: /randomNormal: key must be u32 \[N, 4\] \(seed, seed, stream, step\) but is u32 \[4\]/,
    },
    {
      inputs: { key: { shape: [2, 4], dtype: "u32" } },
      attrs: { shape: [] },
      message: /randomNormal: shape \[\] must have one row for each of the 2 keys/,
    },
  ],
});
