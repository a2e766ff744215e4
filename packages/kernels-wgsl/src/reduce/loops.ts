/** Reductions over any axes as a few nested loops. */
import { ceilDiv, stridesOf } from "../spec.ts";

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

/** WGSL (and JavaScript) expression of a flat index over `loops` of one kind, as the offset in `x`. */
export function offset(index: string, loops: readonly Loop[]): string {
  let inner = 1;
  const terms: string[] = [];
  for (const { extent, stride } of [...loops].reverse()) {
    terms.push(`(${index} / ${inner}u % ${extent}u) * ${stride}u`);
    inner *= extent;
  }
  return terms.join(" + ") || "0u";
}

/** Enough blocks to occupy a GPU, and not so many that the second pass becomes long. */
export const blocksOf = (params: { outputs: number; reduced: number }): number =>
  Math.max(1, Math.min(256, ceilDiv(params.reduced, 64), ceilDiv(16384, params.outputs)));
