/** Random numbers on the host for initial weights: counter-based, so that a seed gives the same network everywhere. */

import { checkNumbers, checkSizes } from "./arguments.ts";

/**
 * Streams of random numbers from one seed. Each call draws from a stream of its own (Philox 4×32-10 keyed by the seed,
 * counting calls and elements), so a network depends on its seed and the order in which its parameters are made.
 */
export class HostRandom {
  readonly #seed: number;
  #stream = 0;

  /** `seed`: a whole number, taken modulo 2³². Throws RangeError for another one. */
  constructor(seed: number) {
    checkSizes("HostRandom", { seed }, -Infinity);
    this.#seed = seed >>> 0;
  }

  /** `count` numbers, uniform in [-bound, bound]. */
  uniform(count: number, bound: number): Float32Array {
    checkSizes("HostRandom.uniform", { count }, 0);
    checkNumbers("HostRandom.uniform", { bound }, -Infinity);
    const values = new Float32Array(count);
    this.#words(count, (i, word) => {
      values[i] = (word / 2 ** 31 - 1) * bound;
    });
    return values;
  }

  /** `count` normal numbers with mean 0 (Box–Muller). */
  normal(count: number, std: number): Float32Array {
    checkSizes("HostRandom.normal", { count }, 0);
    checkNumbers("HostRandom.normal", { std }, -Infinity);
    const values = new Float32Array(count);
    let radius = 0;
    this.#words(count + (count % 2), (i, word) => {
      if (i % 2 === 0) {
        radius = std * Math.sqrt(-2 * Math.log((word + 1) / 2 ** 32));
        values[i] = radius; // replaced as soon as the angle is known
      } else {
        const angle = (word / 2 ** 32) * 2 * Math.PI;
        values[i - 1] = radius * Math.cos(angle);
        if (i < count) values[i] = radius * Math.sin(angle);
      }
    });
    return values;
  }

  /**
   * A key for a draw on the device, u32 [1, 4]: numbers that neither this generator nor another key of it gives. The last word is 0
   * and free to be counted up.
   */
  key(): [number, number, number, number] {
    return [this.#seed, 0x6b6579, this.#stream++, 0];
  }

  /** Calls `take` with `count` words in [0, 2³²) of the next stream. */
  #words(count: number, take: (index: number, word: number) => void): void {
    const stream = this.#stream++;
    const block = new Uint32Array(4);
    for (let i = 0; i < count; i += 4) {
      philox(i / 4, stream, this.#seed, block);
      for (let j = 0; j < 4 && i + j < count; j++) take(i + j, block[j]!);
    }
  }
}

/**
 * One block of Philox 4×32-10 with counter (index, stream, 0, 0) and key (seed, 0).
 * Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */
export function philox(index: number, stream: number, seed: number, out: Uint32Array): void {
  let c0 = index;
  let c1 = stream;
  let c2 = 0;
  let c3 = 0;
  let k0 = seed;
  let k1 = 0;
  for (let round = 0; round < 10; round++) {
    const high0 = highWord(c0, 0xd251, 0x1f53);
    const high1 = highWord(c2, 0xcd9e, 0x8d57);
    const low0 = Math.imul(c0, 0xd2511f53);
    const low1 = Math.imul(c2, 0xcd9e8d57);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** Upper 32 bits of the 64-bit product of two words, the second given as two parts of 16 bits. */
function highWord(a: number, high: number, low: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const middle = aHigh * low + ((aLow * low) >>> 16);
  return (aHigh * high + Math.floor(middle / 65536) + ((aLow * high + (middle & 0xffff)) >>> 16)) | 0;
}
