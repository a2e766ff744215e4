/** Arguments of another kind than their types say: from JavaScript, or from TypeScript that runs unchecked. */
import { checkFloat, type DType, ShapeError } from "@ddad/kernels-wgsl";
import { type AnyTensor, Tensor } from "./tensor.ts";
import { describeValue } from "./values.ts";

/** Throws ShapeError unless `value` is a tensor. */
export function checkTensor(op: string, name: string, value: unknown): void {
  if (value instanceof Tensor) return;
  throw new ShapeError(
    `${op}: ${name} must be a Tensor but is ${describeArgument(value)}; make one with tensor(…).`,
  );
}

/** Throws ShapeError unless `value` is a tensor of f32 or f16. */
export function checkFloats(op: string, name: string, value: AnyTensor): void {
  checkTensor(op, name, value);
  checkFloat(op, name, value.dtype);
}

/** Throws ShapeError unless `value` is an array of numbers: PyTorch takes x.reshape(2, 3), which is x.reshape([2, 3]) here. */
export function checkList(op: string, name: string, value: readonly number[]): void {
  if (Array.isArray(value)) return;
  throw new ShapeError(
    `${op}: ${name} must be an array of numbers, such as [2, 3], but is ${describeArgument(value)}.`,
  );
}

/** Throws ShapeError unless `value` is an array of tensors. */
export function checkTensors(op: string, value: readonly unknown[], example = `${op}([a, b])`): void {
  if (Array.isArray(value)) {
    for (const [index, tensor] of value.entries()) checkTensor(op, `tensor ${index}`, tensor);
    return;
  }
  throw new ShapeError(
    `${op}: the tensors must be in an array, as in ${example}, but got ${describeArgument(value)}.`,
  );
}

const dtypes: readonly string[] = ["f32", "f16", "i32", "u32", "bool"] satisfies DType[];

/** Throws ShapeError unless `value` is a dtype. */
export function checkDType(op: string, value: DType): void {
  if (dtypes.includes(value)) return;
  throw new ShapeError(
    `${op}: the dtype must be one of ${dtypes.join(", ")}, but is ${describeArgument(value)}.`,
  );
}

/** A value in an error message. */
export const describeArgument = (value: unknown): string =>
  typeof value === "number"
    ? `the number ${value}`
    : Array.isArray(value)
      ? "an array"
      : value instanceof Tensor
        ? "a Tensor"
        : describeValue(value);
