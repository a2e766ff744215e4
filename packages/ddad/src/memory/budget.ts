/** Amounts of memory, as people write and read them, and the choice of what fits into one. */

const units = { MB: 1e6, MiB: 2 ** 20, GB: 1e9, GiB: 2 ** 30 } as const;

/** What an amount of memory must look like, for a sentence. */
export const memoryForm = "an amount with its unit, MB, MiB, GB or GiB, such as 8GB or 7.5GiB";

/** The bytes of `8GB` and the like; undefined where it is no such amount. */
export function parseMemory(text: string): number | undefined {
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?(MB|MiB|GB|GiB)$/i.exec(text.trim()) ?? [];
  if (number === undefined || unit === undefined) return undefined;
  const [, factor] = Object.entries(units).find(([name]) => name.toLowerCase() === unit.toLowerCase())!;
  const bytes = Number(number) * factor;
  return bytes > 0 ? bytes : undefined;
}

/** Bytes for people, three digits: `132 MB`, `7.53 GB`. */
export function formatMemory(bytes: number): string {
  const [unit, name] = bytes < 999.5e3 ? [1e3, "kB"] : bytes < 999.5e6 ? [1e6, "MB"] : [1e9, "GB"];
  return `${Number((bytes / unit).toPrecision(3))} ${name}`;
}

/** The least amount of three digits that so many bytes fit into. */
export function roomFor(bytes: number): number {
  const step = 10 ** Math.max(Math.floor(Math.log10(bytes)) - 2, 0);
  return Math.ceil(bytes / step) * step;
}

/** All numbers that divide `count`, rising. */
export const divisorsOf = (count: number): number[] =>
  Array.from({ length: count }, (_, k) => k + 1).filter((divisor) => count % divisor === 0);

/**
 * The largest of rising candidates that fits, where everything below one that fits does, too; undefined where none does. Asks for
 * the largest first, as that is what fits without a bound, and then by powers of two.
 */
export function largestFitting(
  candidates: readonly number[],
  fits: (candidate: number) => boolean,
): number | undefined {
  if (candidates.length > 0 && fits(candidates.at(-1)!)) return candidates.at(-1);
  let [low, high] = [0, candidates.length - 1]; // all below `low` fit, none from `high` on
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (fits(candidates[middle]!)) low = middle + 1;
    else high = middle;
  }
  return candidates[low - 1];
}
