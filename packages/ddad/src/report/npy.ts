/** Arrays as `.npy`, which NumPy and most of its kin read: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */

/** The bytes of a file with 32-bit floats of a shape, row-major. */
export function encodeNpy(values: Float32Array, shape: readonly number[]): Uint8Array {
  const size = shape.reduce((product, extent) => product * extent, 1);
  if (size !== values.length) {
    throw new RangeError(`encodeNpy: ${values.length} values do not fill [${shape.join(", ")}].`);
  }
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const description = `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`;
  // Magic string, version 1.0 and a length of two bytes come first; values start at a multiple of 64.
  const headerLength = Math.ceil((10 + description.length + 1) / 64) * 64 - 10;
  const header = `${description.padEnd(headerLength - 1)}\n`;
  const bytes = new Uint8Array(10 + headerLength + 4 * values.length);
  bytes.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, headerLength & 255, headerLength >> 8]);
  bytes.set(new TextEncoder().encode(header), 10);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setFloat32(10 + headerLength + 4 * i, value, true);
  return bytes;
}
