/** Making tensors from numbers. They are on the device at once. */
import { bytesOf, type DType, pack, type Shape, ShapeError, show, sizeOf } from "@ddad/kernels-wgsl";
import { currentDevice, type Device } from "./device/device.ts";
import { reshape } from "./ops/reshape.ts";
import { broadcastTo } from "./ops/sum.ts";
import { Storage } from "./storage.ts";
import { Tensor, Variable } from "./tensor.ts";

/** Options of what makes tensors. */
export interface CreateOptions {
  /** Default f32. */
  readonly dtype?: DType;
}

/** Numbers, row-major (or nested arrays, whose nesting then is the shape). */
export type Values = ArrayLike<number | boolean> | Nested | number;

/** Arrays in arrays, each level as long as its neighbours. */
export interface Nested extends ReadonlyArray<Nested | number | boolean> {}

/**
 * A tensor of these values. Without `shape`, nested arrays give their own and a flat list gives [length].
 * Throws ShapeError where the number of values does not fit.
 */
export function tensor(values: Values, shape?: Shape, { dtype = "f32" }: CreateOptions = {}): Tensor {
  const { flat, nesting } = flatten(values);
  const target = shape ?? nesting;
  if (flat.length !== sizeOf(target)) {
    throw new ShapeError(
      `tensor: ${flat.length} values do not fill ${show(target)}, which needs ${sizeOf(target)}.`,
    );
  }
  const device = currentDevice();
  if (dtype === "f16" && !device.capabilities.f16) {
    throw new ShapeError("tensor: this adapter has no f16; use f32.");
  }
  const packed = pack(flat, dtype);
  const spec = { shape: [...target], dtype };
  device.checkSize(bytesOf(spec), `tensor: ${dtype} ${show(target)}`);
  const storage = device.buffers.together(() => {
    const own = Storage.own(device, packed.byteLength);
    const { buffer } = own.region;
    device.gpu.queue.writeBuffer(buffer, 0, packed as Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>);
    return own;
  });
  return new Tensor(spec, { kind: "storage", storage, version: 0 });
}

function flatten(values: Values): { flat: ArrayLike<number | boolean>; nesting: number[] } {
  if (typeof values === "number") return { flat: [values], nesting: [] };
  if (!Array.isArray(values) || !Array.isArray(values[0])) {
    return { flat: values as ArrayLike<number | boolean>, nesting: [values.length] };
  }
  const rows = (values as Nested[]).map((row) => flatten(row));
  const [first] = rows;
  if (rows.some(({ nesting }) => show(nesting) !== show(first!.nesting))) {
    throw new ShapeError("tensor: nested arrays must all have the same lengths.");
  }
  return { flat: rows.flatMap(({ flat }) => Array.from(flat)), nesting: [rows.length, ...first!.nesting] };
}

/** A tensor of one value everywhere. */
export const full = (shape: Shape, value: number, options: CreateOptions = {}): Tensor =>
  tensor(new Float64Array(sizeOf(shape)).fill(value), shape, options);

/** A tensor of zeros. */
export const zeros = (shape: Shape, options: CreateOptions = {}): Tensor => full(shape, 0, options);
/** A tensor of ones. */
export const ones = (shape: Shape, options: CreateOptions = {}): Tensor => full(shape, 1, options);

/** 0, 1, … count − 1. */
export const arange = (count: number, options: CreateOptions = {}): Tensor =>
  tensor(
    Float64Array.from({ length: count }, (_, index) => index),
    [count],
    options,
  );

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
export const variable = (initial: Tensor): Variable => new Variable(initial);
