/** From samples to a batch: the values of all samples under one name become one tensor. */
import {
  type AnyTensor,
  concat,
  type DType,
  type Float,
  type Kind,
  ShapeError,
  Tensor,
  type TypedArray,
  tensor,
} from "@ddad/tensor";
import { checkKind } from "../arguments.ts";

/** Element types of a batch's tensors: one for all, or by the names (or places) of a sample's values. */
export type BatchTypes = DType | { readonly [name: string]: DType };

/** A typed array with more than one axis, such as the pixels of an image. */
export interface Shaped {
  /** Elements, row-major. */
  readonly data: TypedArray;
  /** Extents of the axes, outermost first. */
  readonly shape: readonly number[];
}

/** What samples of type S become. */
export type Collated<S, T extends BatchTypes | undefined = undefined> = T extends DType
  ? CollatedOne<S, T>
  : S extends Scalar | readonly number[] | TypedArray | Shaped | AnyTensor | string
    ? CollatedOne<S, undefined>
    : S extends object
      ? { [K in keyof S]: CollatedOne<S[K], TypeOf<T, K>> }
      : S[];

type Scalar = number | boolean;

type TypeOf<T, K> = K extends keyof T ? (T[K] extends DType ? T[K] : undefined) : undefined;

type CollatedOne<S, T> = S extends Scalar | TypedArray | Shaped | AnyTensor | Numbers
  ? Tensor<T extends DType ? Kind<T> : OwnType<S>>
  : S extends string
    ? S[]
    : S extends object
      ? { [K in keyof S]: CollatedOne<S[K], undefined> }
      : S[];

/** Numbers in arrays of any nesting. */
type Numbers = readonly number[] | readonly Numbers[];

type OwnType<S> =
  S extends Tensor<infer D>
    ? D
    : S extends Shaped
      ? OwnType<S["data"]>
      : S extends Int8Array | Int16Array | Int32Array
        ? "i32"
        : S extends Uint8Array | Uint8ClampedArray | Uint16Array | Uint32Array
          ? "u32"
          : S extends boolean
            ? "bool"
            : Float;

/**
 * Joins samples along a new first axis: numbers, booleans, typed arrays, `{ data, shape }`, arrays of numbers and tensors become
 * tensors [N, …]; plain objects, and arrays of anything else, are joined value by value; what is left, such as strings, is listed.
 *
 * @param types element types where they are not those of the data: numbers are f32, so class labels want `{ label: "i32" }`
 * @throws ShapeError where samples differ in shape
 */
export function collate<S, const T extends BatchTypes | undefined = undefined>(
  samples: readonly S[],
  types?: T,
): Collated<S, T> {
  checkKind("collate", "the samples", samples, Array.isArray(samples), "an array");
  if (samples.length === 0) throw new RangeError("collate: there are no samples.");
  return join(samples, types, "sample") as Collated<S, T>;
}

function join(values: readonly unknown[], types: BatchTypes | undefined, name: string): unknown {
  const first = values[0];
  const dtype = typeof types === "string" ? types : undefined;
  if (first instanceof Tensor) return stackTensors(values as AnyTensor[], dtype, name);
  if (isNumeric(first)) return stackNumbers(values, dtype, name);
  if (Array.isArray(first) || isPlain(first)) {
    const keys = Object.keys(first);
    for (const [index, value] of values.entries()) {
      if (!isObject(value) || Object.keys(value).join() !== keys.join()) {
        throw new ShapeError(
          `collate: ${name} 0 has the values ${keys.join(", ")}, but ${name} ${index} has ${describeKeys(value)}.`,
        );
      }
    }
    const joined = keys.map((key): [string, unknown] => {
      const type = typeof types === "object" ? types[key] : types;
      return [
        key,
        join(
          (values as Record<string, unknown>[]).map((value) => value[key]),
          type,
          `${key} of ${name}`,
        ),
      ];
    });
    return Array.isArray(first) ? joined.map(([, value]) => value) : Object.fromEntries(joined);
  }
  return [...values];
}

/** Numbers of any form as one tensor [N, …]. */
function stackNumbers(values: readonly unknown[], dtype: DType | undefined, name: string): AnyTensor {
  const parts = values.map(numbersOf);
  const [first] = parts;
  const shape = first!.shape.join(", ");
  for (const [index, part] of parts.entries()) {
    if (part.shape.join(", ") === shape) continue;
    throw new ShapeError(
      `collate: ${name} 0 is [${shape}], but ${name} ${index} is [${part.shape.join(", ")}]. Give them one shape, or pass a collate.`,
    );
  }
  const length = first!.data.length;
  const Kind = first!.data.constructor as new (length: number) => TypedArray;
  const all = ArrayBuffer.isView(first!.data) ? new Kind(parts.length * length) : undefined;
  const whole = [parts.length, ...first!.shape];
  if (all) {
    for (const [index, { data }] of parts.entries()) all.set(data as ArrayLike<number>, index * length);
    return dtype === undefined ? tensor(all, whole) : tensor(all, whole, { dtype });
  }
  const flat = parts.flatMap(({ data }) => data as number[]);
  return dtype === undefined ? tensor(flat, whole) : tensor(flat, whole, { dtype });
}

function stackTensors(values: readonly AnyTensor[], dtype: DType | undefined, name: string): AnyTensor {
  const [first] = values;
  for (const [index, { shape, dtype: type }] of values.entries()) {
    if (shape.join() === first!.shape.join() && type === first!.dtype) continue;
    throw new ShapeError(`collate: ${name} 0 is ${first}, but ${name} ${index} is ${values[index]}.`);
  }
  const joined = concat(values.map((value) => value.reshape([1, ...value.shape])) as Tensor[], 0);
  return dtype === undefined ? joined : joined.cast(dtype);
}

interface Numeric {
  readonly data: TypedArray | readonly Scalar[];
  readonly shape: readonly number[];
}

function numbersOf(value: unknown): Numeric {
  if (isShaped(value)) return value;
  if (ArrayBuffer.isView(value)) return { data: value as TypedArray, shape: [(value as TypedArray).length] };
  if (!Array.isArray(value)) return { data: [value as Scalar], shape: [] };
  const rows = value.map(numbersOf);
  const ragged = rows.findIndex(({ shape }) => shape.join() !== rows[0]!.shape.join());
  if (ragged > 0) {
    throw new ShapeError(
      `collate: nested arrays must have the same lengths, but row 0 is [${rows[0]!.shape.join(", ")}] and row ${ragged} [${rows[ragged]!.shape.join(", ")}].`,
    );
  }
  return {
    data: rows.flatMap(({ data }) => [...(data as readonly Scalar[])]),
    shape: [rows.length, ...(rows[0]?.shape ?? [])],
  };
}

/** Whether a value becomes a tensor by itself: numbers, or arrays of nothing else. */
const isNumeric = (value: unknown): boolean =>
  typeof value === "number" ||
  typeof value === "boolean" ||
  ArrayBuffer.isView(value) ||
  isShaped(value) ||
  (Array.isArray(value) &&
    value.length > 0 &&
    value.every(
      (entry) => isNumeric(entry) && !isBuffer(entry) && Array.isArray(entry) === Array.isArray(value[0]),
    ));

/** A tuple of typed arrays is no matrix, nor are numbers beside arrays. */
const isBuffer = (value: unknown): boolean => ArrayBuffer.isView(value) || isShaped(value);

const isShaped = (value: unknown): value is Shaped =>
  isObject(value) && ArrayBuffer.isView(value["data"]) && Array.isArray(value["shape"]);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

function isPlain(value: unknown): value is Record<string, unknown> {
  return isObject(value) && [Object.prototype, null].includes(Object.getPrototypeOf(value));
}

const describeKeys = (value: unknown): string =>
  isObject(value) ? Object.keys(value).join(", ") || "none" : `none: it is ${String(value)}`;
