/** How many scores reach a score, in memory that does not grow with their number. */
import { bitsOf, keyOfBits, scoreOfKey } from "./scoreKeys.ts";

/** Of a score's 23 bits of mantissa 14 are kept. */
const droppedBits = 9;

/** Counts float32 scores; such as differ by less than a 16384th of themselves may count as one. Takes 32 MiB. */
export class ScoreCounts {
  readonly #counts = new Uint32Array(2 ** (32 - droppedBits));
  #total = 0;

  add(scores: Float32Array): void {
    const bits = bitsOf(scores);
    for (let i = 0; i < bits.length; i++) this.#counts[keyOfBits(bits[i]!) >>> droppedBits]!++;
    this.#total += bits.length;
  }

  /** The score that a fraction of them reaches, one of them at least; never above the exact one, and below it by a 16384th at most. */
  reachedBy(fraction: number): number {
    let wanted = Math.max(Math.floor(fraction * this.#total), 1);
    let bin = this.#counts.length;
    while (wanted > 0 && bin > 0) wanted -= this.#counts[--bin]!;
    return scoreOfKey((bin << droppedBits) >>> 0);
  }
}
