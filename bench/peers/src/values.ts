/** Arrays on the host, as they go into every library and come back from it. */

/** Row-major f32 values. Images are [N, H, W, C], weights of convolutions [KH, KW, inputs, outputs]. */
export interface Values {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, extent) => size * extent, 1);

/** The axes in another order: axis k of the result is axis `order[k]` of `values`. */
export function permuted({ shape, data }: Values, order: readonly number[]): Values {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const target = order.map((axis) => shape[axis]!);
  const steps = order.map((axis) => strides[axis]!);
  const result = new Float32Array(data.length);
  const index = target.map(() => 0);
  let source = 0;
  for (let k = 0; k < result.length; k++) {
    result[k] = data[source]!;
    for (let axis = target.length - 1; axis >= 0; axis--) {
      source += steps[axis]!;
      if (++index[axis]! < target[axis]!) break;
      source -= target[axis]! * steps[axis]!;
      index[axis] = 0;
    }
  }
  return { shape: target, data: result };
}

/** [N, H, W, C] → [N, C, H, W]; other ranks unchanged. */
export const channelsFirst = (values: Values): Values =>
  values.shape.length === 4 ? permuted(values, [0, 3, 1, 2]) : values;

/** [N, C, H, W] → [N, H, W, C]; other ranks unchanged. */
export const channelsLast = (values: Values): Values =>
  values.shape.length === 4 ? permuted(values, [0, 2, 3, 1]) : values;

/** [KH, KW, inputs, outputs] → [outputs, inputs, KH, KW]; other ranks unchanged. */
export const outputsFirst = (values: Values): Values =>
  values.shape.length === 4 ? permuted(values, [3, 2, 0, 1]) : values;

/** [outputs, inputs, KH, KW] → [KH, KW, inputs, outputs]; other ranks unchanged. */
export const outputsLast = (values: Values): Values =>
  values.shape.length === 4 ? permuted(values, [2, 3, 1, 0]) : values;

/** Largest |difference| relative to the largest |expected|; infinite where a value is NaN. */
export function relativeDifference(got: Values, expected: Values): number {
  if (got.data.length !== expected.data.length) return Number.POSITIVE_INFINITY;
  let [difference, largest] = [0, 0];
  for (let k = 0; k < expected.data.length; k++) {
    const distance = Math.abs(got.data[k]! - expected.data[k]!);
    if (Number.isNaN(distance)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, distance);
    largest = Math.max(largest, Math.abs(expected.data[k]!));
  }
  return difference === 0 ? 0 : difference / largest;
}
