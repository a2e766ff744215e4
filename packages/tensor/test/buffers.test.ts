/** Sizes of buffers on adapters that are not present. */
import { expect } from "chai";
import { BufferPool } from "../src/device/buffers.ts";
import { Workspace } from "../src/device/workspace.ts";

/** A device whose largest buffer has `maxBufferSize` bytes. */
const gpuWith = (maxBufferSize: number): GPUDevice =>
  ({
    limits: { maxBufferSize },
    pushErrorScope: () => undefined,
    popErrorScope: () => Promise.resolve(null),
    createBuffer: ({ size }: GPUBufferDescriptor) => ({ size, destroy: () => undefined }),
  }) as unknown as GPUDevice;

const poolOf = (maxBufferSize: number): BufferPool =>
  new BufferPool(gpuWith(maxBufferSize), (error) => {
    throw error;
  });

describe("buffers", () => {
  const MiB = 2 ** 20;

  it("have few distinct sizes, none of them above the adapter's limit", () => {
    // As drivers report it: 4 bytes less than 2 GiB.
    const largest = 2 ** 31 - 4;
    const pool = poolOf(largest);
    expect(pool.acquire(1025 * MiB).size).to.equal(1152 * MiB);
    expect(pool.acquire(1900 * MiB).size).to.equal(1920 * MiB);
    expect(pool.acquire(2000 * MiB).size).to.equal(2000 * MiB);
    expect(pool.acquire(2000 * MiB + 2).size).to.equal(2000 * MiB + 4);
    expect(pool.acquire(largest).size).to.equal(largest);
  });

  it("between kernels too", () => {
    const workspace = new Workspace(poolOf(2 ** 31 - 4));
    const sizes = [2000 * MiB, 1900 * MiB, 2000 * MiB];
    expect(workspace.reserve(sizes).map(({ size }) => size)).to.deep.equal([
      2000 * MiB,
      1920 * MiB,
      2000 * MiB,
    ]);
    expect(workspace.count).to.equal(3);
    workspace.reserve(sizes);
    expect(workspace.count).to.equal(3);
  });
});
