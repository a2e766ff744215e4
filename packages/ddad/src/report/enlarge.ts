/** Maps and masks of small images at a size at which they can be looked at. */

/**
 * Values of a map at a whole multiple of its size, bilinear between the middles of its pixels and constant beyond the outermost.
 *
 * @param map `[height · width]`
 * @returns `[height · factor · width · factor]`
 */
export const enlargeMap = (
  map: ArrayLike<number>,
  width: number,
  height: number,
  factor: number,
): Float32Array =>
  enlargedRows(enlargedRows(Float32Array.from(map), width, height, factor), height, width * factor, factor);

/** The same of a mask, 1 where it is not zero: its corners are rounded, and each of its pixels keeps its middle. */
export function enlargeMask(
  mask: ArrayLike<number>,
  width: number,
  height: number,
  factor: number,
): Uint8Array {
  const values = Float32Array.from(mask, (value) => Number(value !== 0));
  return Uint8Array.from(enlargeMap(values, width, height, factor), (value) => Number(value >= 0.5));
}

/** Rows `[count · extent]`, each longer by the factor, as columns: `[extent · factor · count]`. */
function enlargedRows(rows: Float32Array, extent: number, count: number, factor: number): Float32Array {
  const columns = new Float32Array(extent * factor * count);
  for (let i = 0; i < extent * factor; i++) {
    const position = Math.min(Math.max((i + 0.5) / factor - 0.5, 0), extent - 1);
    const low = Math.floor(position);
    const part = position - low;
    for (let row = 0; row < count; row++) {
      const from = row * extent + low;
      columns[i * count + row] = part === 0 ? rows[from]! : rows[from]! * (1 - part) + rows[from + 1]! * part;
    }
  }
  return columns;
}
