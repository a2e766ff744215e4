/**
 * Float32 scores as 32-bit whole numbers of the same order, and their sort: a ranking metric asks for the order alone,
 * and whole numbers are sorted by their digits, in a time that grows with their number only.
 */

const digitBits = 11;
const digits = 1 << digitBits;

/** The key of a score, given its bits; 0 and −0 are one score. A negative number's bits rise as it falls. */
export const keyOfBits = (bits: number): number =>
  bits < 0x80000000 ? (bits | 0x80000000) >>> 0 : bits === 0x80000000 ? bits : ~bits >>> 0;

const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);

/** The key of a score, rounded to float32. */
export function keyOfScore(score: number): number {
  single[0] = score;
  return keyOfBits(singleBits[0]!);
}

/** The score of a key. */
export function scoreOfKey(key: number): number {
  singleBits[0] = key < 0x80000000 ? ~key : key & 0x7fffffff;
  return single[0]!;
}

/** The bits of float32 scores, as a view. */
export const bitsOf = (scores: Float32Array): Uint32Array =>
  new Uint32Array(scores.buffer, scores.byteOffset, scores.length);

/**
 * Sorts keys in place, rising, and `values` along with them; equal keys keep their order. Takes as much memory again
 * while it runs, or the scratch arrays given, which must be at least as long.
 */
export function sortKeys(
  keys: Uint32Array,
  values?: Uint32Array,
  scratch: Uint32Array = new Uint32Array(keys.length),
): void {
  const valueScratch = values && new Uint32Array(keys.length);
  let [from, to] = [keys, scratch];
  let [fromValues, toValues]: (Uint32Array | undefined)[] = [values, valueScratch];
  for (let shift = 0; shift < 32; shift += digitBits) {
    const places = new Uint32Array(digits + 1);
    for (let i = 0; i < keys.length; i++) places[((from[i]! >>> shift) & (digits - 1)) + 1]!++;
    for (let digit = 0; digit < digits; digit++) places[digit + 1]! += places[digit]!;
    for (let i = 0; i < keys.length; i++) {
      const key = from[i]!;
      const digit = (key >>> shift) & (digits - 1);
      const place = places[digit]!;
      places[digit] = place + 1;
      to[place] = key;
      if (fromValues && toValues) toValues[place] = fromValues[i]!;
    }
    [from, to] = [to, from];
    [fromValues, toValues] = [toValues, fromValues];
  }
  // An odd number of passes ends in the scratch.
  if (from !== keys) keys.set(from.subarray(0, keys.length));
  if (values && fromValues && fromValues !== values) values.set(fromValues);
}

/** Index of the first of rising keys, within `from` … `to`, that is at least `key`; `to` where there is none. */
export function firstAtLeast(keys: Uint32Array, key: number, from = 0, to = keys.length): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
