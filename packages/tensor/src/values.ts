/** Numbers as users give them: nested arrays and typed arrays, checked before they reach the device. */
import { type DType, dtypeProblem, type Shape, ShapeError, show, type TensorSpec } from "@ddad/kernels-wgsl";

/** One element as JavaScript has it. */
export type Element = number | boolean;

/** Arrays of numbers whose elements have a type of their own. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array;

/** Arrays in arrays, each level as long as its neighbours. */
export interface Nested extends ReadonlyArray<Nested | Element> {}

/** A number, nested arrays of numbers or of booleans, or a typed array. */
export type Values = Element | Nested | TypedArray;

/** Elements in a row, the shape of their nesting, and the type that they have by themselves. */
export interface ReadValues {
  readonly flat: ArrayLike<Element>;
  readonly nesting: number[];
  readonly dtype: DType;
}

/** Throws ShapeError where lists are of different depths or lengths, or an element is neither number nor boolean. */
export function readValues(values: Values): ReadValues {
  if (typeof values === "number" || typeof values === "boolean") {
    return { flat: [values], nesting: [], dtype: typeof values === "boolean" ? "bool" : "f32" };
  }
  if (ArrayBuffer.isView(values)) {
    const dtype = typeOfArray(values);
    return { flat: values, nesting: [values.length], dtype };
  }
  if (!Array.isArray(values)) {
    throw new ShapeError(
      `tensor: needs numbers, booleans or arrays of them, but got ${describeValue(values)}.`,
    );
  }
  const nesting = nestingOf(values);
  const flat: Element[] = [];
  collect(values, nesting, 0, flat);
  const booleans = flat.filter((element) => typeof element === "boolean").length;
  if (booleans > 0 && booleans < flat.length) {
    throw new ShapeError("tensor: the values are numbers and booleans; a tensor holds one type.");
  }
  return { flat, nesting, dtype: booleans > 0 ? "bool" : "f32" };
}

/** Elements, row-major, as nested arrays: booleans of bool, else numbers. */
export function nest(data: ArrayLike<number>, { shape, dtype }: TensorSpec): Element | Nested {
  let place = 0;
  const level = (axis: number): Element | Nested => {
    if (axis < shape.length) return Array.from({ length: shape[axis]! }, () => level(axis + 1));
    const element = data[place++]!;
    return dtype === "bool" ? element !== 0 : element;
  };
  return level(0);
}

/** Lengths along the first entry of each level. */
function nestingOf(values: unknown): number[] {
  const lengths: number[] = [];
  for (let level = values; Array.isArray(level); level = level[0]) lengths.push(level.length);
  return lengths;
}

function collect(
  values: readonly unknown[],
  nesting: readonly number[],
  depth: number,
  flat: Element[],
): void {
  if (values.length !== nesting[depth]) throw ragged();
  const last = depth === nesting.length - 1;
  for (const value of values) {
    if (last && (typeof value === "number" || typeof value === "boolean")) flat.push(value);
    else if (Array.isArray(value) !== last && Array.isArray(value)) collect(value, nesting, depth + 1, flat);
    else if (Array.isArray(value) || typeof value === "number" || typeof value === "boolean") throw ragged();
    else {
      throw new ShapeError(
        `tensor: element ${flat.length} is ${describeValue(value)}, but must be a number or a boolean.`,
      );
    }
  }
}

const ragged = (): ShapeError =>
  new ShapeError("tensor: nested arrays must have the same depth and the same lengths everywhere.");

function typeOfArray(values: ArrayBufferView): DType {
  if (values instanceof Float32Array || values instanceof Float64Array) return "f32";
  if (values instanceof Int32Array || values instanceof Int16Array || values instanceof Int8Array)
    return "i32";
  if (
    values instanceof Uint32Array ||
    values instanceof Uint16Array ||
    values instanceof Uint8Array ||
    values instanceof Uint8ClampedArray
  )
    return "u32";
  throw new ShapeError(
    `tensor: ${describeValue(values)} cannot be stored; convert it to a Float32Array or Int32Array first.`,
  );
}

/** A value in an error message: what JavaScript code passed for numbers. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "object") return `an object of class ${value.constructor?.name ?? "Object"}`;
  return typeof value === "string" ? `the string "${value.slice(0, 40)}"` : `a ${typeof value}`;
}

/** Throws ShapeError unless every extent is a whole number, 0 or more. */
export function checkShape(op: string, shape: Shape): void {
  if (Array.isArray(shape) && shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)) return;
  throw new ShapeError(
    `${op}: the shape must be a list of whole numbers, 0 or more, but is ${Array.isArray(shape) ? show(shape) : describeValue(shape)}.`,
  );
}

/** Throws ShapeError where the type cannot hold one of the values: an integer type a fraction, for example. */
export function checkValues(op: string, values: ArrayLike<Element>, dtype: DType): void {
  if (dtype === "f32" || dtype === "f16") return;
  for (let index = 0; index < values.length; index++) {
    const problem = dtypeProblem(Number(values[index]), dtype);
    if (!problem) continue;
    const where = values.length > 1 ? ` of element ${index}` : "";
    throw new ShapeError(`${op}: the value${where} ${problem}; choose another dtype, or round it first.`);
  }
}
