/** Results of several runs: what to call each, and which belong into one table. */
import { groups } from "d3-array";
import type { NamedResult } from "./differences.ts";
import type { EvaluationResult } from "./results.ts";

/** A result and the folder it lies in. */
export type FoundResult = { readonly folder: string; readonly result: EvaluationResult };

/** Names results by their category, and where several are of one also by what is their own of their folders. */
export function nameResults<T extends FoundResult>(results: readonly T[]): (T & NamedResult)[] {
  return results.map((found) => {
    const { folder, result } = found;
    const { category } = result;
    const alike = results.filter((other) => other.result.category === category);
    if (alike.length === 1) return { ...found, name: category };
    const own = ownPart(
      folder,
      alike.map((other) => other.folder),
    );
    return { ...found, name: `${category} (${own})` };
  });
}

/** A path without the folders that all begin with and all end with; a dot where nothing is left. */
function ownPart(path: string, all: readonly string[]): string {
  const split = (text: string): string[] => text.split(/[\\/]/);
  const shared = (paths: readonly (readonly string[])[], direction: 1 | -1): number => {
    const [first, ...others] = paths.map((parts) => (direction === 1 ? parts : parts.toReversed()));
    const end = first!.findIndex((part, i) => others.some((other) => other[i] !== part));
    return end < 0 ? first!.length : end;
  };
  const before = shared(all.map(split), 1);
  const rests = all.map((other) => split(other).slice(before));
  const rest = split(path).slice(before);
  return rest.slice(0, rest.length - shared(rests, -1)).join("/") || ".";
}

/** Results by method and protocol: a mean over several of these would be that of nothing. */
export function groupResults<T extends NamedResult>(
  results: readonly T[],
): { readonly title: string; readonly members: readonly T[] }[] {
  return groups(results, ({ result }) => `${result.protocolBlock.method}, ${result.protocol} protocol`).map(
    ([title, members]) => ({ title, members }),
  );
}

/** The mean, where all values are known: one over some of them would pass for one over all. */
export function meanOf(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  if (known.length === 0 || known.length < values.length) return undefined;
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}
