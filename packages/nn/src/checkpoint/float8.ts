/** The two 8-bit floating-point formats of checkpoints: E4M3 (finite values and NaN) and E5M2 (the upper half of a binary16). */

/** One 8-bit format: a sign, then 127 or fewer magnitudes in rising order. */
export interface Float8 {
  /** 8-bit codes → float32. Exact. */
  widen(codes: Uint8Array): Float32Array;
  /** float32 → 8-bit codes, to the nearest, ties to even; what is too large becomes what PyTorch makes of it. */
  narrow(values: Float32Array): Uint8Array;
}

/**
 * A format.
 *
 * @param fractionBits bits of the fraction; the others but the sign are the exponent
 * @param bias what the exponent exceeds its power of two by
 * @param overflow code of the first magnitude beyond the finite ones
 * @param nan code of NaN
 */
function float8(fractionBits: number, bias: number, overflow: number, nan: number): Float8 {
  const steps = 2 ** fractionBits;
  const magnitude = (code: number): number => {
    const exponent = code >> fractionBits;
    const fraction = (code % steps) / steps;
    return exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias);
  };
  const magnitudes = Array.from({ length: overflow + 1 }, (_, code) => magnitude(code));
  const table = Float32Array.from({ length: 256 }, (_, code) => {
    const rest = code & 0x7f;
    const size = rest < overflow ? magnitudes[rest]! : rest < nan ? beyond(rest, overflow) : Number.NaN;
    return code & 0x80 ? -size : size;
  });
  const narrowOne = (value: number): number => {
    if (Number.isNaN(value)) return nan;
    const sign = value < 0 || Object.is(value, -0) ? 0x80 : 0;
    return sign | nearest(magnitudes, Math.abs(value));
  };
  return {
    widen: (codes) => {
      const widened = new Float32Array(codes.length);
      for (let i = 0; i < codes.length; i++) widened[i] = table[codes[i]!]!;
      return widened;
    },
    narrow: (values) => {
      const narrowed = new Uint8Array(values.length);
      for (let i = 0; i < values.length; i++) narrowed[i] = narrowOne(values[i]!);
      return narrowed;
    },
  };
}

/** Infinity at the first code beyond the finite ones, NaN behind it. */
const beyond = (code: number, overflow: number): number =>
  code === overflow ? Number.POSITIVE_INFINITY : Number.NaN;

/** Index of the nearest of rising numbers, the even one of two that are equally near; the last where all are smaller. */
function nearest(rising: readonly number[], value: number): number {
  let low = 0;
  let high = rising.length - 1;
  if (value >= rising[high]!) return high;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (rising[middle]! <= value) low = middle;
    else high = middle;
  }
  const [below, above] = [value - rising[low]!, rising[high]! - value];
  return below < above || (below === above && low % 2 === 0) ? low : high;
}

/** Largest 448; no infinity: what rounds to more is NaN. */
export const e4m3: Float8 = float8(3, 7, 0x7f, 0x7f);
/** Largest 57,344; what rounds to more is infinite. */
export const e5m2: Float8 = float8(2, 15, 0x7c, 0x7f);
