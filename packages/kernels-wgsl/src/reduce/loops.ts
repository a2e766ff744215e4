/** Reductions over any axes as a few nested loops. */
import { type DType, sizeOf, stridesOf } from "../spec.ts";
import { quotient, remainder, uniform } from "../uniform.ts";

/** An extent of x and the distance of its elements. */
export interface Loop {
  readonly extent: number;
  readonly stride: number;
}

/**
 * A reduction as loops over the `kept` extents (which count the outputs) and the `reduced` ones. Neighbouring axes of one kind
 * are merged, so that a sum over the batch and the pixels is one long loop.
 */
export function loopsOf(
  shape: readonly number[],
  axes: readonly number[],
): { kept: Loop[]; reduced: Loop[] } {
  const strides = stridesOf(shape);
  const loops = { kept: [] as Loop[], reduced: [] as Loop[] };
  let last: Loop[] | undefined;
  shape.forEach((extent, axis) => {
    if (extent === 1) return;
    const kind = axes.includes(axis) ? loops.reduced : loops.kept;
    const merged = last === kind ? kind.pop()!.extent : 1;
    kind.push({ extent: merged * extent, stride: strides[axis]! });
    last = kind;
  });
  return loops;
}

/**
 * WGSL expression of a flat index over `loops` of one kind, as the offset in `x`. The index is one that exists. Loops without
 * elements count as 1, because WGSL refuses a division by zero even where it never runs.
 *
 * @param kind prefix of the numbers' names
 */
export function offset(kind: "kept" | "reduced", index: string, loops: readonly Loop[]): string {
  const count = loops.reduce((product, { extent }) => product * Math.max(1, extent), 1);
  let inner = 1;
  const terms: string[] = [];
  for (const [depth, loop] of [...loops.entries()].reverse()) {
    const { stride } = loop;
    const extent = Math.max(1, loop.extent);
    const named = (what: string): string => `${kind}${what}${depth}`;
    const divided = inner === 1 ? index : quotient(index, named("Inner"), inner, count);
    const whole = () => quotient(divided, named("Extent"), extent, count / inner);
    const coordinate = depth === 0 ? divided : remainder(divided, whole(), named("Extent"), extent);
    terms.push(stride === 1 ? `(${coordinate})` : `(${coordinate}) * ${uniform(named("Stride"), stride)}`);
    inner *= extent;
  }
  return terms.join(" + ") || "0u";
}

/** A reduction in units of one load: one element, or four contiguous ones. */
export interface Layout {
  readonly kept: readonly Loop[];
  readonly reduced: readonly Loop[];
  /** Which values are contiguous in memory: those of neighbouring outputs, or those of one. */
  readonly along: "kept" | "reduced";
  /** Elements that are loaded at once. */
  readonly width: 1 | 4;
  /** Outputs, and values of each. */
  readonly outputs: number;
  readonly values: number;
  readonly dtype: DType;
}

/** The layout of a reduction of x over `axes`. */
export function layoutOf(shape: readonly number[], axes: readonly number[], dtype: DType): Layout {
  const { kept, reduced } = loopsOf(shape, axes);
  const along = kept.at(-1)?.stride === 1 ? "kept" : "reduced";
  const innermost = (along === "kept" ? kept : reduced).at(-1);
  const width = innermost && innermost.extent % 4 === 0 ? 4 : 1;
  const inUnits = (loop: Loop): Loop =>
    loop === innermost
      ? { extent: loop.extent / width, stride: 1 }
      : { extent: loop.extent, stride: loop.stride / width };
  const loops = { kept: kept.map(inUnits), reduced: reduced.map(inUnits) };
  const count = (of: readonly Loop[]): number => sizeOf(of.map(({ extent }) => extent));
  return { ...loops, along, width, outputs: count(loops.kept), values: count(loops.reduced), dtype };
}
