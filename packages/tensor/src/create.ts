/** Making tensors from numbers. They are on the device at once. */
import {
  bytesOf,
  type DType,
  type Float,
  pack,
  type Shape,
  ShapeError,
  show,
  sizeOf,
} from "@ddad/kernels-wgsl";
import { checkDType, checkTensor } from "./arguments.ts";
import { currentDevice, type Device } from "./device/device.ts";
import type { Kind } from "./ops/elementwise.ts";
import { reshape } from "./ops/reshape.ts";
import { broadcastTo } from "./ops/sum.ts";
import { checkOptions } from "./options.ts";
import { Storage } from "./storage.ts";
import { type AnyTensor, Tensor, Variable } from "./tensor.ts";
import { checkShape, checkValues, type Element, readValues, type Values } from "./values.ts";

export type { Element, Nested, TypedArray, Values } from "./values.ts";

/** Options of what makes tensors. */
export interface CreateOptions<D extends DType = DType> {
  /** Default: the type of the data. Numbers are f32, booleans bool, typed arrays what they hold. */
  readonly dtype?: D;
}

/** The natural type of the data. */
type OwnType<V> = V extends Int8Array | Int16Array | Int32Array
  ? "i32"
  : V extends Uint8Array | Uint8ClampedArray | Uint16Array | Uint32Array
    ? "u32"
    : V extends boolean | ReadonlyArray<boolean> | ReadonlyArray<ReadonlyArray<boolean>>
      ? "bool"
      : Float;

/**
 * A tensor of these values: a number, nested arrays (whose nesting then is the shape), or a typed array. The argument `shape` is
 * optional: it defaults to the nesting of the arrays, [length] for a flat list, and [] for a number.
 *
 * @throws ShapeError where the values do not fill the shape, are not numbers, or do not fit the type
 */
export function tensor<D extends DType>(
  values: Values,
  options: CreateOptions<D> & { readonly dtype: D },
): Tensor<Kind<D>>;
export function tensor<D extends DType>(
  values: Values,
  shape: Shape | undefined,
  options: CreateOptions<D> & { readonly dtype: D },
): Tensor<Kind<D>>;
export function tensor<const V extends Values>(values: V, shape?: Shape): Tensor<OwnType<V>>;
export function tensor(
  values: Values,
  shapeOrOptions?: Shape | CreateOptions,
  options: CreateOptions = {},
): AnyTensor {
  if (typeof shapeOrOptions === "string" || typeof shapeOrOptions === "number") {
    throw new ShapeError(
      `tensor: the second argument must be a shape or options, as in { dtype: "i32" }, but is ${JSON.stringify(shapeOrOptions)}.`,
    );
  }
  const shape = isShape(shapeOrOptions) ? shapeOrOptions : undefined;
  const given = isShape(shapeOrOptions) ? options : { ...options, ...shapeOrOptions };
  const { dtype: wanted } = checkOptions("tensor", given, ["dtype"]);
  const { flat, nesting, dtype: own } = readValues(values);
  if (wanted !== undefined) checkDType("tensor", wanted);
  const dtype = wanted ?? own;
  const target = shape ?? nesting;
  checkShape("tensor", target);
  if (flat.length !== sizeOf(target)) {
    throw new ShapeError(
      `tensor: ${flat.length} values do not fill ${show(target)}, which needs ${sizeOf(target)}.`,
    );
  }
  if (wanted !== undefined && wanted !== own) checkValues("tensor", flat, wanted);
  return upload("tensor", flat, target, dtype);
}

const isShape = (value: Shape | CreateOptions | undefined): value is Shape => Array.isArray(value);

/** Packs the values and hands them to the device. */
function upload(op: string, flat: ArrayLike<Element>, shape: Shape, dtype: DType): AnyTensor {
  const device = currentDevice();
  checkRoom(op, device, shape, dtype);
  const packed = pack(flat, dtype);
  const storage = device.buffers.together(() => {
    const own = Storage.own(device, packed.byteLength);
    const { buffer } = own.region;
    device.gpu.queue.writeBuffer(buffer, 0, packed as Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>);
    return own;
  });
  return new Tensor({ shape: [...shape], dtype }, { kind: "storage", storage, version: 0 });
}

/** Before anything is allocated: whether the device holds tensors of this type and size. */
function checkRoom(op: string, device: Device, shape: Shape, dtype: DType): void {
  checkDType(op, dtype);
  if (dtype === "f16" && !device.capabilities.f16) {
    throw new ShapeError(`${op}: this adapter has no f16; use f32.`);
  }
  device.checkSize(bytesOf({ shape, dtype }), `${op}: ${dtype} ${show(shape)}`);
}

/** A tensor of one value everywhere: f32 for a number, bool for a boolean, unless `dtype` says otherwise. */
export function full<D extends DType>(
  shape: Shape,
  value: Element,
  options: CreateOptions<D> & { readonly dtype: D },
): Tensor<Kind<D>>;
export function full(shape: Shape, value: boolean): Tensor<"bool">;
export function full(shape: Shape, value: number): Tensor;
export function full(shape: Shape, value: Element, options: CreateOptions = {}): Tensor<DType> {
  const { dtype } = checkOptions("full", options, ["dtype"]);
  return filled<DType>("full", shape, value, dtype ?? (typeof value === "boolean" ? "bool" : "f32"));
}

function filled<D extends DType>(
  op: string,
  shape: Shape,
  value: Element,
  dtype: D | undefined,
): Tensor<Kind<D>> {
  const type = dtype ?? "f32";
  checkShape(op, shape);
  checkRoom(op, currentDevice(), shape, type);
  checkValues(op, [value], type);
  return upload(op, new Float64Array(sizeOf(shape)).fill(Number(value)), shape, type) as Tensor<Kind<D>>;
}

/** A tensor of zeros. Default f32. */
export const zeros = <D extends DType = Float>(
  shape: Shape,
  options: CreateOptions<D> = {},
): Tensor<Kind<D>> => filled("zeros", shape, 0, checkOptions("zeros", options, ["dtype"]).dtype);

/** A tensor of ones. Default f32. */
export const ones = <D extends DType = Float>(
  shape: Shape,
  options: CreateOptions<D> = {},
): Tensor<Kind<D>> => filled("ones", shape, 1, checkOptions("ones", options, ["dtype"]).dtype);

/** Zeros in the shape and type of another tensor. */
export const zerosLike = <D extends DType>(x: Tensor<D>): Tensor<D> => filledLike("zerosLike", x, 0);

/** Ones in the shape and type of another tensor. */
export const onesLike = <D extends DType>(x: Tensor<D>): Tensor<D> => filledLike("onesLike", x, 1);

function filledLike<D extends DType>(op: string, x: Tensor<D>, value: number): Tensor<D> {
  checkTensor(op, "x", x);
  return filled(op, x.shape, value, x.dtype as DType) as Tensor<D>;
}

/** Options of `arange`. */
export interface ArangeOptions<D extends DType = DType> extends CreateOptions<D> {
  /** The first number. Default 0. */
  readonly start?: number;
  /** From one number to the next, not 0. Default 1. */
  readonly step?: number;
}

/**
 * start, start + step, … as long as they are before `end`: `arange(3)` is 0, 1, 2. Default f32.
 *
 * @throws ShapeError where the step is 0 or a number is not finite
 */
export function arange<D extends DType = Float>(
  end: number,
  options: ArangeOptions<D> = {},
): Tensor<Kind<D>> {
  const { start = 0, step = 1, dtype } = checkOptions("arange", options, ["start", "step", "dtype"]);
  if (![start, end, step].every(Number.isFinite) || step === 0) {
    throw new ShapeError(
      `arange: start ${start}, end ${end} and step ${step} must be finite, and the step not 0.`,
    );
  }
  const count = Math.max(0, Math.ceil((end - start) / step));
  checkRoom("arange", currentDevice(), [count], dtype ?? "f32");
  const values = Float64Array.from({ length: count }, (_, index) => start + index * step);
  checkValues("arange", values, dtype ?? "f32");
  return upload("arange", values, [count], dtype ?? "f32") as Tensor<Kind<D>>;
}

/** `count` f32 numbers at equal distances from `start` to `end`, both included. */
export function linspace(start: number, end: number, count: number): Tensor {
  checkShape("linspace", [count]);
  checkRoom("linspace", currentDevice(), [count], "f32");
  const step = count > 1 ? (end - start) / (count - 1) : 0;
  const values = Float64Array.from({ length: count }, (_, index) => start + index * step);
  if (count > 1) values[count - 1] = end;
  return upload("linspace", values, [count], "f32") as Tensor;
}

/** Ones on the diagonal of [rows, columns], zeros elsewhere. Default f32. */
export function eye<D extends DType = Float>(
  rows: number,
  columns = rows,
  options: CreateOptions<D> = {},
): Tensor<Kind<D>> {
  const { dtype } = checkOptions("eye", options, ["dtype"]);
  checkShape("eye", [rows, columns]);
  checkRoom("eye", currentDevice(), [rows, columns], dtype ?? "f32");
  const values = new Float64Array(rows * columns);
  for (let i = 0; i < Math.min(rows, columns); i++) values[i * columns + i] = 1;
  return upload("eye", values, [rows, columns], dtype ?? "f32") as Tensor<Kind<D>>;
}

const scalars = new WeakMap<Device, Map<number, Tensor>>();

/** f32 `value` everywhere, from one scalar that the device keeps: for constants inside recorded programs. */
export function constant(value: number, shape: Shape): Tensor {
  const device = currentDevice();
  const known = scalars.get(device) ?? new Map<number, Tensor>();
  scalars.set(device, known);
  const scalar = known.get(value) ?? tensor(value);
  known.set(value, scalar);
  return sizeOf(shape) === 1 ? reshape(scalar, shape) : broadcastTo(scalar, shape);
}

/** A mutable cell whose first value is that of an evaluated tensor, which it takes over. */
export const variable = <D extends DType>(initial: Tensor<D>): Variable<D> => new Variable(initial);
