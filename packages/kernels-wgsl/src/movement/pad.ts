/**
 * Surrounds a tensor with a constant; with `step` its elements also land that far apart, the constant between them.
 * It is the gradient of `slice`: `slice` with `start = before` and the same `step` takes `x` out of `y` again.
 */
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { dtypeProblem } from "../pack.ts";
import { bytesOf, type Shape, show, sizeOf, spec, storageType, stridesOf } from "../spec.ts";
import { constantBits, constantCode, numberOfBits } from "./constantBits.ts";
import { coordinatesOf, flatIndex } from "./walk.ts";

/** Attributes of `pad`, one number an axis but for `value`. */
export interface PadAttrs {
  /** Elements added in front of each axis. */
  readonly before: readonly number[];
  /** Elements added behind each axis. */
  readonly after: readonly number[];
  /** The constant, any number that the type of x holds, NaN and ±∞ too; for bool 0 or 1. */
  readonly value: number;
  /** Distance between the elements of `x` in `y` on each axis, at least 1; default 1. */
  readonly step?: readonly number[];
}

/** One axis of `y`, or several merged: `size` elements of `x` (with this `stride` in `x`), `step` apart from `before` on. */
interface PaddedAxis {
  readonly extent: number;
  readonly before: number;
  readonly size: number;
  readonly step: number;
  readonly stride: number;
}

/** From the first of `size` elements to behind the last, where they lie `step` apart. */
const spanOf = (size: number, step: number): number => (size === 0 ? 0 : (size - 1) * step + 1);

/** Axes of `y`, outermost first, with unpadded axes merged into the next one further out. */
function axesOf(shape: Shape, { before, after, step }: PadAttrs): PaddedAxis[] {
  const strides = stridesOf(shape);
  const merged: PaddedAxis[] = [];
  shape.forEach((size, axis) => {
    const [first, by] = [before[axis]!, step?.[axis] ?? 1];
    const extent = first + spanOf(size, by) + after[axis]!;
    const outer = merged.at(-1);
    if (outer?.step === 1 && extent === size) {
      merged[merged.length - 1] = {
        extent: outer.extent * extent,
        before: outer.before * extent,
        size: outer.size * size,
        step: 1,
        stride: strides[axis]!,
      };
    } else merged.push({ extent, before: first, size, step: by, stride: strides[axis]! });
  });
  return merged;
}

/** The same walk in units of four elements, where the innermost axis allows it. */
function unitsOf(axes: readonly PaddedAxis[]): { width: 1 | 4; units: readonly PaddedAxis[] } {
  const inner = axes.at(-1);
  if (inner?.step !== 1 || [inner.extent, inner.before, inner.size].some((count) => count % 4 !== 0))
    return { width: 1, units: axes };
  const quarter = { ...inner, extent: inner.extent / 4, before: inner.before / 4, size: inner.size / 4 };
  const outer = axes.slice(0, -1).map((axis) => ({ ...axis, stride: axis.stride / 4 }));
  return { width: 4, units: [...outer, quarter] };
}

/** Splits `i` into coordinates; one that lies outside of `x` (also below it, by wrapping around) clears `inside`. */
function coordinates(axes: readonly PaddedAxis[]): string {
  let inner = 1;
  const lines: string[] = [];
  for (const [position, { extent, before, size, step, stride }] of [...axes.entries()].reverse()) {
    const coordinate = position === 0 ? `i / ${inner}u` : `i / ${inner}u % ${extent}u`;
    lines.push(`  let c${position} = ${coordinate} - ${before}u;`);
    if (extent !== size) lines.push(`  inside &= c${position} < ${spanOf(size, step)}u;`);
    if (step !== 1) lines.push(`  inside &= c${position} % ${step}u == 0u;`);
    lines.push(`  at += c${position} / ${step}u * ${stride}u;`);
    inner *= extent;
  }
  return lines.join("\n");
}

/** Input x of any type; output y, of extent before + (extent − 1) · step + 1 + after on every axis. */
export const pad = defineKernel({
  name: "pad",
  inputs: ["x"],
  outputs: ["y"],
  params: { size: "u32" },
  structure: ({ before, after, step }: PadAttrs) => ({ before, after, step }),
  infer({ x }, { before, after, value, step = x.shape.map(() => 1) }: PadAttrs) {
    const rank = x.shape.length;
    check(
      before.length === rank && after.length === rank && step.length === rank,
      "pad",
      () =>
        `before ${show(before)}, after ${show(after)} and step ${show(step)} must have one number for each axis of x ${show(x.shape)}.`,
    );
    check(
      [...before, ...after].every((count) => Number.isInteger(count) && count >= 0),
      "pad",
      () =>
        `before ${show(before)} and after ${show(after)} must be whole numbers of at least 0; use slice to cut.`,
    );
    check(
      step.every((by) => Number.isInteger(by) && by >= 1),
      "pad",
      () => `step ${show(step)} must be whole numbers of at least 1.`,
    );
    const problem = dtypeProblem(value, x.dtype);
    check(problem === undefined, "pad", () => `value ${problem}.`);
    const bits = constantBits(value, x.dtype);
    const shape = x.shape.map((extent, axis) => before[axis]! + spanOf(extent, step[axis]!) + after[axis]!);
    return { outputs: { y: spec(shape, x.dtype) }, params: { size: sizeOf(shape) }, constants: [bits] };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs, attrs, params }) {
        const { width, units } = unitsOf(axesOf(inputs.x.shape, attrs));
        const scalar = storageType(inputs.x.dtype);
        const element = width === 4 ? `vec4<${scalar}>` : scalar;
        return [
          {
            read: { x: element },
            write: { y: element },
            ...gridStride(
              caps,
              params.size / width,
              `params.size / ${width}u`,
              /* wgsl */ `
    var inside = true;
    var at = 0u;
${coordinates(units)}
    var value = constant;
    if (inside) { value = x[at]; }
    y[i] = value;`,
              `  let constant = ${element}(${constantCode("params.c0", inputs.x.dtype)});`,
            ),
          },
        ];
      },
    },
  ],
  reference({ x }, { inputs, outputs, attrs, constants }) {
    const strides = stridesOf(outputs.y.shape);
    const y = new Float64Array(sizeOf(outputs.y.shape)).fill(numberOfBits(constants![0]!, inputs.x.dtype));
    let i = 0;
    for (const at of coordinatesOf(inputs.x.shape)) {
      const target = at.map((c, axis) => attrs.before[axis]! + c * (attrs.step?.[axis] ?? 1));
      y[flatIndex(target, strides)] = x[i++]!;
    }
    return { y };
  },
  cost: ({ inputs, outputs }) => ({ flops: 0, bytes: bytesOf(inputs.x) + bytesOf(outputs.y) }),
  cases: [
    {
      name: "a scalar",
      inputs: { x: [] },
      attrs: { before: [], after: [], value: 3 },
      tolerance: 0,
    },
    {
      name: "nothing added",
      inputs: { x: [3, 5] },
      attrs: { before: [0, 0], after: [0, 0], value: 1 },
      tolerance: 0,
    },
    {
      name: "one element",
      inputs: { x: [1] },
      attrs: { before: [2], after: [1], value: -0.5 },
      tolerance: 0,
    },
    {
      name: "four axes, odd sizes",
      inputs: { x: [2, 3, 5, 7] },
      attrs: { before: [1, 0, 2, 3], after: [0, 2, 1, 2], value: 0.25 },
      tolerance: 0,
    },
    {
      name: "pixels around channels by four",
      inputs: { x: [2, 5, 3, 8] },
      attrs: { before: [0, 1, 2, 0], after: [0, 2, 1, 0], value: 0 },
      tolerance: 0,
    },
    {
      name: "steps",
      inputs: { x: [3, 4, 4] },
      attrs: { before: [1, 0, 4], after: [0, 2, 0], value: 0, step: [2, 3, 1] },
      tolerance: 0,
    },
    {
      name: "step on the inner axis",
      inputs: { x: [3, 4] },
      attrs: { before: [0, 1], after: [1, 2], value: 7, step: [1, 3] },
      tolerance: 0,
    },
    {
      name: "negative infinity",
      inputs: { x: [3, 5] },
      attrs: { before: [1, 0], after: [0, 2], value: Number.NEGATIVE_INFINITY },
      tolerance: 0,
    },
    {
      name: "NaN, by four",
      inputs: { x: [3, 4] },
      attrs: { before: [1, 0], after: [0, 4], value: Number.NaN },
      tolerance: 0,
    },
    {
      name: "around nothing",
      inputs: { x: [0, 3] },
      attrs: { before: [1, 1], after: [1, 0], value: 2, step: [3, 1] },
      tolerance: 0,
    },
    {
      name: "u32",
      inputs: { x: { shape: [5], dtype: "u32" } },
      attrs: { before: [1], after: [1], value: 4294967295 },
    },
    {
      name: "i32",
      inputs: { x: { shape: [3, 4], dtype: "i32" } },
      attrs: { before: [1, 4], after: [0, 0], value: -7 },
    },
    {
      name: "bool",
      inputs: { x: { shape: [3, 3], dtype: "bool" } },
      attrs: { before: [1, 1], after: [1, 1], value: 1 },
    },
    {
      name: "f16",
      inputs: { x: { shape: [3, 5], dtype: "f16" } },
      attrs: { before: [0, 1], after: [1, 1], value: 0.5 },
      tolerance: 0,
    },
    {
      name: "f16, infinity, by four",
      inputs: { x: { shape: [3, 4], dtype: "f16" } },
      attrs: { before: [1, 4], after: [0, 0], value: Number.POSITIVE_INFINITY },
      tolerance: 0,
    },
    {
      name: "gradient of half of the channels",
      inputs: { x: [2, 32, 32, 64] },
      attrs: { before: [0, 0, 0, 64], after: [0, 0, 0, 0], value: 0 },
      tolerance: 0,
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: { shape: [2], dtype: "i32" } },
      attrs: { before: [0], after: [0], value: 0.5 },
      message: /pad: value 0.5 does not fit into i32/,
    },
    {
      inputs: { x: { shape: [2], dtype: "u32" } },
      attrs: { before: [0], after: [0], value: -1 },
      message: /pad: value -1 does not fit into u32/,
    },
    {
      inputs: { x: [2] },
      attrs: { before: [0], after: [0], value: 1e39 },
      message: /pad: value 1e\+39 does not fit into f32/,
    },
    {
      inputs: { x: [2, 3] },
      attrs: { before: [0], after: [0], value: 0 },
      message:
        /pad: before \[0\], after \[0\] and step \[1, 1\] must have one number for each axis of x \[2, 3\]/,
    },
    {
      inputs: { x: [2, 3] },
      attrs: { before: [0, -1], after: [0, 0], value: 0 },
      message:
        /pad: before \[0, -1\] and after \[0, 0\] must be whole numbers of at least 0; use slice to cut/,
    },
    {
      inputs: { x: [2] },
      attrs: { before: [0], after: [0], value: 0, step: [0] },
      message: /pad: step \[0\] must be whole numbers of at least 1/,
    },
  ],
});
