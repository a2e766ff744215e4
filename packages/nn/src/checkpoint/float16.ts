/** The two 16-bit floating-point formats of checkpoints: IEEE 754 binary16 and bfloat16 (the upper half of a float32). */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** binary16 bits → float32. Exact. */
export function widenFloat16(words: Uint16Array): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, half) => widenOne(half));
  const widened = new Float32Array(words.length);
  for (let i = 0; i < words.length; i++) widened[i] = table[words[i]!]!;
  return widened;
}

/** All f16 values, widened; made when first needed. */
let table: Float32Array | undefined;

function widenOne(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** float32 → binary16 bits, to the nearest, ties to even; beyond 65,504 becomes infinite. */
export function narrowFloat16(values: Float32Array): Uint16Array {
  return narrow(values, (value) => {
    const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
    const size = Math.abs(value);
    if (Number.isNaN(size)) return 0x7e00;
    if (size >= 65520) return sign | 0x7c00;
    // The distance between neighbours is 2^-24 below 2^-14 and 1/1024 of the power of two above.
    float[0] = size;
    const power = Math.max(-14, (bits[0]! >> 23) - 127);
    const steps = roundHalfToEven(size * 2 ** (10 - power)); // 1024…2048 where normal; 2048 carries into the exponent
    return sign | (((power + 14) << 10) + steps);
  });
}

/** bfloat16 bits → float32. Exact. */
export function widenBfloat16(words: Uint16Array): Float32Array {
  const widened = new Uint32Array(words.length);
  for (let i = 0; i < words.length; i++) widened[i] = words[i]! << 16;
  return new Float32Array(widened.buffer);
}

/** float32 → bfloat16 bits, to the nearest, ties to even. */
export function narrowBfloat16(values: Float32Array): Uint16Array {
  return narrow(values, (value) => {
    if (Number.isNaN(value)) return 0x7fc0;
    float[0] = value;
    return (bits[0]! + 0x7fff + ((bits[0]! >> 16) & 1)) >>> 16;
  });
}

/** A plain loop: `from` goes through an iterator, which is much slower on millions of weights. */
function narrow(values: Float32Array, one: (value: number) => number): Uint16Array {
  const narrowed = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) narrowed[i] = one(values[i]!);
  return narrowed;
}

function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
