/** Arguments of another kind than their types say: from JavaScript, or from TypeScript that runs unchecked. */
import { type AnyTensor, ShapeError, Tensor, UsageError } from "@ddad/tensor";
import { checkTensor, describeArgument } from "@ddad/tensor/internal";

type Named = Readonly<Record<string, unknown>>;

/** A value in an error message. */
const shown = (value: unknown): string =>
  Array.isArray(value) ? `[${value.join(", ")}]` : describeArgument(value);

function check(op: string, values: Named, rule: string, holds: (value: unknown) => boolean): void {
  for (const [name, value] of Object.entries(values)) {
    if (!holds(value)) throw new RangeError(`${op}: ${name} must be ${rule}, but is ${shown(value)}.`);
  }
}

const from = (least: number): string => (least > Number.NEGATIVE_INFINITY ? ` from ${least} on` : "");

/** Throws RangeError unless all `sizes` are whole numbers from `least` on, or arrays of them with one of the lengths. */
export function checkSizes(
  op: string,
  sizes: Named,
  least = 1,
  lengths: readonly (string | number)[] = [],
): void {
  const isSize = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= least;
  const rule = `a whole number${from(least)}${lengths.length ? ` or an array of ${lengths.join(" or ")}` : ""}`;
  check(op, sizes, rule, (value) =>
    Array.isArray(value) ? lengths.includes(value.length) && value.every(isSize) : isSize(value),
  );
}

/** Throws RangeError unless all `numbers` are numbers from `least` on, Infinity included. */
export const checkNumbers = (op: string, numbers: Named, least = 0): void =>
  check(op, numbers, `a number${from(least)}`, (value) => typeof value === "number" && value >= least);

/** Throws ShapeError unless `x` is a tensor of floats. */
export function checkFloats(layer: string, name: string, x: AnyTensor): void {
  checkTensor(layer, name, x);
  if (x.dtype === "f32" || x.dtype === "f16") return;
  throw new ShapeError(`${layer}: ${name} must be f32 or f16 but is ${x.dtype}; cast it first.`);
}

/**
 * Throws ShapeError unless `x` is a tensor of floats with as many channels along its last axis as a layer takes, and of `axes` axes where that
 * is given.
 *
 * @param what the channels' name in the message
 */
export function checkChannels(
  layer: string,
  x: AnyTensor,
  channels: number,
  axes?: 3 | 4,
  what = "channels",
): void {
  checkFloats(layer, "x", x);
  const { shape } = x;
  if (axes ? shape.length !== axes : !shape.length) {
    const wanted = axes ? `N, ${axes === 4 ? "H, W" : "L"}` : "…";
    throw new ShapeError(`${layer}: x must be [${wanted}, ${channels}] but is ${shown(shape)}.`);
  }
  if (shape.at(-1) === channels) return;
  let hint = "";
  if (shape[1] === channels && shape.length === 4)
    hint = " Images are [N, H, W, C]; x.permute([0, 2, 3, 1]) makes them of [N, C, H, W].";
  if (shape[1] === channels && shape.length === 3)
    hint = " Sequences are [N, L, C]; x.permute([0, 2, 1]) makes them of [N, C, L].";
  throw new ShapeError(
    `${layer}: x ${shown(shape)} has ${shape.at(-1)} ${what} but the layer takes ${channels}.${hint}`,
  );
}

/** Throws UsageError unless `values` is an array, and ShapeError unless all in it are tensors. */
export function checkTensors(op: string, name: string, values: readonly unknown[]): void {
  checkKind(op, name, values, Array.isArray(values), "an array of tensors");
  for (const [index, value] of values.entries()) {
    if (!(value instanceof Tensor)) checkTensor(op, `number ${index} of ${name}`, value);
  }
}

/** Throws UsageError unless `value` is what it must be. */
export function checkKind(op: string, name: string, value: unknown, holds: boolean, kind: string): void {
  if (holds) return;
  const cure = value instanceof Promise ? "; await it" : "";
  throw new UsageError(`${op}: ${name} must be ${kind}, but is ${describeArgument(value)}${cure}.`);
}

/** Throws UsageError unless `value` can be iterated. */
export const checkIterable = (op: string, name: string, value: unknown): void =>
  checkKind(op, name, value, typeof Object(value)[Symbol.iterator] === "function", "an array");
