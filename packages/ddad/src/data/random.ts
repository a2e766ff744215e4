/** Counter-based numbers: the same seed and counters give the same number, whatever was drawn before. */

/** A well-mixed 32-bit hash of a 32-bit integer (Chris Wellons' "lowbias32"). */
export function hash32(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** A 32-bit hash of a text (FNV-1a over UTF-16 units, then mixed). */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash32(hash);
}

/** A 32-bit hash of a seed and any number of whole-number counters. */
export function hashCounters(seed: number, ...counters: number[]): number {
  let hash = hash32(seed);
  for (const counter of counters) hash = hash32(hash + Math.imul(counter, 0x9e3779b9));
  return hash;
}

/** A number in [0, 1) from a seed and any number of whole-number counters. */
export function uniform(seed: number, ...counters: number[]): number {
  return hashCounters(seed, ...counters) / 2 ** 32;
}

/** A 32-bit hash of the values of an image: the same image is the same under any name. */
export function hashPixels(pixels: Float32Array): number {
  const words = new Uint32Array(pixels.buffer, pixels.byteOffset, pixels.length);
  let hash = 0x811c9dc5;
  for (let k = 0; k < words.length; k++) hash = Math.imul(hash ^ hash32(words[k]!), 0x01000193);
  return hash32(hash);
}
