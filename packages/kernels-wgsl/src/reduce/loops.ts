/** Reductions over any axes as a few nested loops. */
import { ceilDiv, stridesOf } from "../spec.ts";

/**
 * The reduction as loops: an output element `(outer, inner)` sums `x` over up to four reduced extents. Adjacent axes that
 * are both kept or both reduced are merged first, so that a sum over the batch and the pixels is one long loop.
 */
export interface Loops {
  readonly extent: number;
  readonly stride: number;
  readonly kept: boolean;
}

export function loopsOf(shape: readonly number[], axes: readonly number[]): Loops[] {
  const strides = stridesOf(shape);
  const loops: Loops[] = [];
  shape.forEach((extent, axis) => {
    if (extent === 1) return;
    const kept = !axes.includes(axis);
    const last = loops.at(-1);
    if (last && last.kept === kept)
      loops[loops.length - 1] = { extent: last.extent * extent, stride: strides[axis]!, kept };
    else loops.push({ extent, stride: strides[axis]!, kept });
  });
  return loops;
}

/** WGSL (and JavaScript) expression of a flat index over `loops` of one kind, as the offset in `x`. */
export function offset(index: string, loops: readonly Loops[]): string {
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
