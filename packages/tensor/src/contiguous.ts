/**
 * Contiguous variables: one buffer for many, without gaps, so that a kernel that treats all elements alike (a step of an
 * optimiser) runs once for many. See `program/pack.ts`.
 */
import { bytesOf, type Shape, type TensorSpec } from "@ddad/kernels-wgsl";
import { currentDevice, type Device } from "./device/device.ts";
import { type Region, Storage } from "./storage.ts";
import { type AnyVariable, Tensor, Variable } from "./tensor.ts";

/**
 * Bytes of a shared buffer at most, unless one variable alone has more. It is freed as a whole, once all variables in it are gone:
 * who keeps one parameter of a network and disposes of the others keeps up to this much.
 */
const mostBytes = 64 * 2 ** 20;

/**
 * Moves f32 variables into shared buffers, in their order; those whose size would leave a gap come last. They stay what they
 * are, compiled functions and pending tensors that read them included. Variables that share a buffer already stay where they
 * are, whatever became of their neighbours.
 *
 * Nothing here waits for the device: the variables move before the next evaluation. Where the adapter has no memory for the shared
 * buffers, all of them stay where they are, and that evaluation rejects with OutOfMemoryError. For a moment there must be room for
 * the variables twice.
 */
export function flattenParameters(variables: readonly Variable[]): void {
  const device = currentDevice();
  const distinct = [...new Set(variables)];
  const moved = device.exclusively(() => move(device, distinct));
  moved.catch((error: Error) => device.fail(error));
}

async function move(device: Device, variables: readonly Variable[]): Promise<void> {
  const movable = variables.filter(
    ({ dtype, storage }) =>
      dtype === "f32" && storage.device === device && !storage.shares && !storage.freed && !storage.refused,
  );
  if (movable.length === 0) return;
  const places = await device.buffers.obtain(() => reserve(device, movable), freeAll);
  const encoder = device.gpu.createCommandEncoder();
  for (const [index, { storage }] of movable.entries()) {
    const { region } = places[index]!;
    if (storage.freed) continue; // disposed of while the adapter was asked
    encoder.copyBufferToBuffer(
      storage.region.buffer,
      storage.region.offset,
      region.buffer,
      region.offset,
      region.size,
    );
  }
  device.gpu.queue.submit([encoder.finish()]);
  for (const [index, { storage }] of movable.entries()) {
    const { region, free } = places[index]!;
    if (storage.freed) free();
    else storage.moveTo(region, free);
  }
  // The buffers that were left have sizes that nothing else may ask for.
  device.buffers.trim();
}

/**
 * f32 variables of zeros in shared buffers. Where the adapter has no memory for them, none of them can be used, and the next evaluation
 * rejects with OutOfMemoryError.
 */
export function contiguousZeros(shapes: readonly Shape[]): Variable[] {
  const device = currentDevice();
  const specs = shapes.map((shape) => ({ shape: [...shape], dtype: "f32" as const }));
  const places = device.buffers.together(() => {
    const reserved = reserve(device, specs);
    const encoder = device.gpu.createCommandEncoder();
    for (const buffer of new Set(reserved.map(({ region }) => region.buffer))) encoder.clearBuffer(buffer);
    device.gpu.queue.submit([encoder.finish()]);
    return reserved;
  });
  return specs.map((spec, index) => {
    const { region, free } = places[index]!;
    const storage = new Storage(device, region, free);
    return new Variable(new Tensor(spec, { kind: "storage", storage, version: 0 }));
  });
}

/**
 * Bytes that variables take: for one with its own buffer the whole buffer, for one in a shared buffer its part, the gap after
 * it included. So what two sets of variables take adds up, wherever swaps have brought them. The part of one that was disposed of
 * counts for nobody, though its neighbours keep the buffer.
 */
export const heldBytes = (variables: Iterable<AnyVariable>): number =>
  [...new Set([...variables].map(({ storage }) => storage))]
    .filter(({ freed }) => !freed)
    .reduce(
      (sum, { device, shares, region }) => sum + (shares ? align(device, region.size) : region.size),
      0,
    );

/** Bytes from one variable in a shared buffer to the next. */
function align({ gpu }: Device, bytes: number): number {
  const { minStorageBufferOffsetAlignment: alignment } = gpu.limits;
  return Math.ceil(bytes / alignment) * alignment;
}

interface Piece {
  readonly region: Region;
  readonly free: () => void;
}

const freeAll = (pieces: readonly Piece[]): void => {
  for (const { free } of pieces) free();
};

/** A piece for each of these, in shared buffers. */
function reserve(device: Device, specs: readonly TensorSpec[]): Piece[] {
  const sizes = specs.map((spec) => Math.max(bytesOf(spec), 4)); // something even for one without elements
  for (const size of sizes) device.checkSize(size, "A variable");
  const steps = sizes.map((size) => align(device, size));
  const leavesGap = (index: number): boolean => sizes[index] !== steps[index];
  const order = [...sizes.keys()].sort((a, b) => Number(leavesGap(a)) - Number(leavesGap(b)) || a - b);
  const pieces: Piece[] = [];
  for (let next = 0; next < order.length; ) {
    const members: { readonly index: number; readonly offset: number }[] = [];
    let total = 0;
    for (; next < order.length; next++) {
      const index = order[next]!;
      const bytes = steps[index]!;
      if (members.length > 0 && total + bytes > mostBytes) break;
      members.push({ index, offset: total });
      total += bytes;
    }
    // A single variable shares no buffer: another call may move it.
    const buffer = device.buffers.acquireExactly(members.length > 1 ? total : sizes[members[0]!.index]!);
    let held = members.length;
    const free = (): void => {
      held--;
      if (held === 0) device.buffers.discard(buffer);
    };
    for (const { index, offset } of members) {
      pieces[index] = { region: { buffer, offset, size: sizes[index]! }, free };
    }
  }
  return pieces;
}
