/** Shapes, element types and the little arithmetic on them that every kernel needs. */

/** Element types of a tensor. `bool` is stored as `u32` 0 or 1, because WGSL has no bool in storage. */
export type DType = "f32" | "f16" | "i32" | "u32" | "bool";

/** The types that hold fractions. */
export type Float = "f32" | "f16";

/** Whether elements of this type hold fractions. f16 is for storage and operands: sums and statistics are f32. */
export const isFloat = (dtype: DType): dtype is Float => dtype === "f32" || dtype === "f16";

/** Extents of a tensor's axes, the outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/** What is known of a tensor before it exists: dense, row-major. */
export interface TensorSpec {
  /** Extents of the axes, outermost first. */
  readonly shape: Shape;
  /** Type of the elements. */
  readonly dtype: DType;
}

/** A spec from its two parts. */
export const spec = (shape: Shape, dtype: DType = "f32"): TensorSpec => ({ shape, dtype });

/** Number of elements of a shape; 1 for a scalar `[]`. */
export const sizeOf = (shape: Shape): number => shape.reduce((product, extent) => product * extent, 1);

/** Bytes of one stored element: 2 for f16, else 4. */
export const bytesPerElement = (dtype: DType): number => (dtype === "f16" ? 2 : 4);

/** Bytes of a tensor's elements, without padding. */
export const bytesOf = ({ shape, dtype }: TensorSpec): number => sizeOf(shape) * bytesPerElement(dtype);

/** Bytes of all tensors of a call, each once; absent ones take none. */
export const bytesOfCall = (call: {
  readonly inputs: Readonly<Record<string, TensorSpec | undefined>>;
  readonly outputs: Readonly<Record<string, TensorSpec>>;
}): number =>
  [...Object.values(call.inputs), ...Object.values(call.outputs)].reduce(
    (sum, tensor) => sum + (tensor ? bytesOf(tensor) : 0),
    0,
  );

/** WGSL type of one stored element. */
export const storageType = (dtype: DType): string => (dtype === "bool" ? "u32" : dtype);

/** `[2, 3, 4]`, as shapes are written in messages. */
export const show = (shape: Shape): string => `[${shape.join(", ")}]`;

/** Whether two shapes have the same axes with the same extents. */
export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((extent, axis) => extent === b[axis]);

/** ⌈a / b⌉. */
export const ceilDiv = (a: number, b: number): number => Math.ceil(a / b);

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}
