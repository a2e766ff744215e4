/** Elements with their axes in another order: axis k of the result is axis `order[k]` of `data`. */
export function transpose<T extends Float32Array | Int32Array | Uint32Array>(
  data: T,
  shape: readonly number[],
  order: readonly number[],
): T {
  if (order.every((axis, k) => axis === k)) return data;
  const strides = shape.map((_, axis) =>
    shape.slice(axis + 1).reduce((product, extent) => product * extent, 1),
  );
  const extents = order.map((axis) => shape[axis]!);
  const steps = order.map((axis) => strides[axis]!);
  const moved = data.slice() as T;
  const at = order.map(() => 0);
  let from = 0;
  for (let to = 0; to < moved.length; to++) {
    moved[to] = data[from]!;
    for (let axis = at.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++at[axis]! < extents[axis]!) break;
      from -= steps[axis]! * extents[axis]!;
      at[axis] = 0;
    }
  }
  return moved;
}
