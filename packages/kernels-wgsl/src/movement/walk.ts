/** Copies through strides: the one pass behind `copy`, `slice`, `permute` and `broadcast`, for every element type. */
import { gridStride } from "../gridStride.ts";
import type { Capabilities, Pass } from "../kernel.ts";
import { type DType, type Shape, storageType } from "../spec.ts";
import { quotient, remainder, uniform } from "../uniform.ts";

/**
 * One loop over output elements, outermost first; `stride` is its step in the source: 0 where the source repeats, negative where it
 * is read backwards.
 */
export interface Axis {
  readonly extent: number;
  readonly stride: number;
}

/** The same walk in fewer loops: axes of one element dropped, neighbours that step alike merged. */
export function mergeAxes(axes: readonly Axis[]): Axis[] {
  const merged: Axis[] = [];
  for (const axis of axes) {
    if (axis.extent === 1) continue;
    const outer = merged.at(-1);
    if (outer && outer.stride === axis.stride * axis.extent) {
      merged[merged.length - 1] = { extent: outer.extent * axis.extent, stride: axis.stride };
    } else merged.push(axis);
  }
  return merged;
}

/**
 * WGSL of the source offset at output element `index`, below `count`. The outermost extent is left out: batches share a pipeline.
 * A negative stride wraps around, as u32 sums do: adding it steps back.
 *
 * @param name prefix of the numbers' names, where there are several walks in a pass
 */
export function walkOffset(index: string, axes: readonly Axis[], name = "walk"): string {
  const count = axes.reduce((product, { extent }) => product * extent, 1);
  let inner = 1;
  const terms: string[] = [];
  for (const [position, { extent, stride }] of [...axes.entries()].reverse()) {
    const named = (what: string): string => `${name}${what}${position}`;
    const divided = inner === 1 ? index : quotient(index, named("Inner"), inner, count);
    const whole = () => quotient(divided, named("Extent"), extent, count / inner);
    const coordinate = position === 0 ? divided : remainder(divided, whole(), named("Extent"), extent);
    if (stride !== 0)
      terms.push(
        stride === 1 ? `(${coordinate})` : `(${coordinate}) * ${uniform(named("Stride"), stride >>> 0)}`,
      );
    inner *= extent;
  }
  return terms.join(" + ") || "0u";
}

/** Parameters of kernels that walk: the number of output elements, and the source offset of the first one. */
export const walkParams = { size: "u32", offset: "u32" } as const;

/** `y[i] = x[offset + Σ coordinate · stride]`, four elements a thread where the innermost loop allows. */
export function walkPass(
  caps: Capabilities,
  dtype: DType,
  walk: readonly Axis[],
  params: { size: number; offset: number },
): Pass {
  const axes = mergeAxes(walk);
  const scalar = storageType(dtype);
  const inner = axes.at(-1) ?? { extent: params.size, stride: 1 };
  const outer = axes.slice(0, -1);
  const width = inner.extent % 4 === 0 ? 4 : 1;
  const aligned =
    width === 4 && inner.stride === 1 && [params.offset, ...outer.map(({ stride }) => stride)].every(byFour);
  const units = aligned
    ? [...outer.map((axis) => ({ ...axis, stride: axis.stride / 4 })), { ...inner, extent: inner.extent / 4 }]
    : [...outer, { extent: inner.extent / width, stride: inner.stride * width }];
  const step = uniform("step", inner.stride >>> 0);
  const lanes = [0, 1, 2, 3].map((lane) => `x[at + ${lane}u * ${step}]`).join(", ");
  const value = aligned || width === 1 ? "x[at]" : `vec4<${scalar}>(${inner.stride ? lanes : "x[at]"})`;
  return {
    read: { x: aligned ? `vec4<${scalar}>` : scalar },
    write: { y: width === 4 ? `vec4<${scalar}>` : scalar },
    ...gridStride(
      caps,
      params.size / width,
      `params.size / ${width}u`,
      /* wgsl */ `
    let at = params.offset / ${aligned ? 4 : 1}u + ${walkOffset("i", units)};
    y[i] = ${value};`,
    ),
  };
}

const byFour = (value: number): boolean => value % 4 === 0;

/** Coordinates of every element of a shape, in row-major order: the loops of the references. */
export function* coordinatesOf(shape: Shape): Generator<number[]> {
  if (shape.includes(0)) return;
  const at = shape.map(() => 0);
  for (;;) {
    yield at;
    let axis = shape.length - 1;
    while (axis >= 0 && ++at[axis]! === shape[axis]) at[axis--] = 0;
    if (axis < 0) return;
  }
}

/** Flat index of coordinates under strides. */
export const flatIndex = (at: readonly number[], strides: readonly number[]): number =>
  at.reduce((total, coordinate, axis) => total + coordinate * strides[axis]!, 0);
