/**
 * Variables side by side: one buffer for many of them, without gaps, so that a kernel that treats all alike (a step of an
 * optimiser) runs once for many. See `program/pack.ts`.
 */
import { bytesOf, type Shape, type TensorSpec } from "@ddad/kernels-wgsl";
import { currentDevice, type Device } from "./device/device.ts";
import { type Region, Storage } from "./storage.ts";
import { Tensor, Variable } from "./tensor.ts";

/** Bytes of a shared buffer at most, unless one variable alone has more. Freed memory returns in such pieces. */
const mostBytes = 64 * 2 ** 20;

/**
 * Moves f32 variables into shared buffers, in their order; those whose size would leave a gap come last. They stay what they
 * are, compiled functions and pending tensors that read them included. Variables that share a buffer already stay where they
 * are. Nothing here waits for the device.
 */
export function moveSideBySide(variables: readonly Variable[]): void {
  const device = currentDevice();
  const movable = [...new Set(variables)].filter(
    ({ dtype, home }) => dtype === "f32" && home.device === device && !home.shares && !home.freed,
  );
  if (movable.length === 0) return;
  const places = reserve(device, movable);
  const encoder = device.gpu.createCommandEncoder();
  for (const [index, { home }] of movable.entries()) {
    const { buffer, offset, size } = places[index]!.region;
    encoder.copyBufferToBuffer(home.region.buffer, home.region.offset, buffer, offset, size);
  }
  device.gpu.queue.submit([encoder.finish()]);
  for (const [index, { home }] of movable.entries()) home.moveTo(places[index]!.region, places[index]!.free);
  // The buffers that were left have sizes that nothing else may ask for.
  device.buffers.trim();
}

/** f32 variables of zeros in shared buffers. */
export function zerosSideBySide(shapes: readonly Shape[]): Variable[] {
  const device = currentDevice();
  const specs = shapes.map((shape) => ({ shape: [...shape], dtype: "f32" as const }));
  const places = reserve(device, specs);
  const encoder = device.gpu.createCommandEncoder();
  for (const buffer of new Set(places.map(({ region }) => region.buffer))) encoder.clearBuffer(buffer);
  device.gpu.queue.submit([encoder.finish()]);
  return specs.map((spec, index) => {
    const { region, free } = places[index]!;
    const storage = new Storage(device, region, free);
    return new Variable(new Tensor(spec, { kind: "storage", storage, version: 0 }));
  });
}

/** Bytes of the buffers that variables live in, each buffer once. */
export const heldBytes = (variables: Iterable<Variable>): number =>
  [...new Set([...variables].map(({ home }) => home.region.buffer))].reduce((sum, { size }) => sum + size, 0);

interface Piece {
  readonly region: Region;
  readonly free: () => void;
}

/** A piece for each of these, in shared buffers. */
function reserve(device: Device, specs: readonly TensorSpec[]): Piece[] {
  const sizes = specs.map((spec) => Math.max(bytesOf(spec), 4)); // something even for one without elements
  for (const size of sizes) device.checkSize(size, "A variable");
  const alignment = device.gpu.limits.minStorageBufferOffsetAlignment;
  const align = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;
  const leavesGap = (index: number): boolean => sizes[index]! % alignment !== 0;
  const order = [...sizes.keys()].sort((a, b) => Number(leavesGap(a)) - Number(leavesGap(b)) || a - b);
  const pieces: Piece[] = [];
  for (let next = 0; next < order.length; ) {
    const members: { readonly index: number; readonly offset: number }[] = [];
    let total = 0;
    for (; next < order.length; next++) {
      const index = order[next]!;
      const bytes = align(sizes[index]!);
      if (members.length > 0 && total + bytes > mostBytes) break;
      members.push({ index, offset: total });
      total += bytes;
    }
    const buffer = device.buffers.acquireExactly(total);
    let held = members.length;
    const free = (): void => {
      held--;
      if (held === 0) device.buffers.release(buffer);
    };
    for (const { index, offset } of members) {
      pieces[index] = { region: { buffer, offset, size: sizes[index]! }, free };
    }
  }
  return pieces;
}
