/** Connected defects of a mask. */

/** The connected defects of a mask, numbered. */
export type Regions = {
  count: number;
  /** For every pixel the number of its region, from 1; 0 outside. */
  labels: Int32Array;
  /** Pixels of every region; entry 0 belongs to region 1. */
  sizes: number[];
};

/**
 * The 8-connected regions of non-zero pixels: those that touch at a side or a corner belong together.
 *
 * @param mask `width · height` values.
 */
export function findRegions(mask: ArrayLike<number>, width: number, height: number): Regions {
  if (mask.length !== width * height) {
    throw new RangeError(
      `findRegions: a ${width}×${height} mask has ${width * height} pixels, but ${mask.length} were given.`,
    );
  }
  const labels = new Int32Array(mask.length);
  const sizes: number[] = [];
  const stack: number[] = [];
  for (let start = 0; start < mask.length; start++) {
    if (!mask[start] || labels[start]) continue;
    const label = sizes.length + 1;
    let size = 0;
    labels[start] = label;
    stack.push(start);
    for (let pixel = stack.pop(); pixel !== undefined; pixel = stack.pop()) {
      size++;
      const x = pixel % width;
      const y = (pixel - x) / width;
      for (let j = Math.max(y - 1, 0); j <= Math.min(y + 1, height - 1); j++) {
        for (let i = Math.max(x - 1, 0); i <= Math.min(x + 1, width - 1); i++) {
          const next = j * width + i;
          if (!mask[next] || labels[next]) continue;
          labels[next] = label;
          stack.push(next);
        }
      }
    }
    sizes.push(size);
  }
  return { count: sizes.length, labels, sizes };
}
