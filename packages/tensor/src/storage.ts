/** Memory on the device: its location and its owners. */
import type { Device } from "./device/device.ts";
import type { AnyVariable } from "./tensor.ts";

/** A piece of a buffer. */
export interface Region {
  readonly buffer: GPUBuffer;
  /** Bytes before it in the buffer. */
  readonly offset: number;
  /** Its bytes. */
  readonly size: number;
}

/** Memory on the device, shared by the tensors (views of one another) that hold its contents. */
export class Storage {
  readonly device: Device;
  #region: Region;
  #free: () => void;
  /** The variable that owns this; weak, because a held storage must not keep its tensors alive. */
  owner: WeakRef<AnyVariable> | undefined;
  /** Counts overwritings. A tensor remembers the version that it stands for. */
  version = 0;
  #holders = 0;

  /** @param free called once nobody holds the contents any more */
  constructor(device: Device, region: Region, free: () => void) {
    this.device = device;
    this.#region = region;
    this.#free = free;
  }

  /** Storage that has a buffer from the device's pool to itself. */
  static own(device: Device, bytes: number): Storage {
    const buffer = device.buffers.acquire(bytes);
    return new Storage(device, { buffer, offset: 0, size: buffer.size }, () =>
      device.buffers.release(buffer),
    );
  }

  /** Where the contents are: ask each time, because they may move. */
  get region(): Region {
    return this.#region;
  }

  /** Whether others have pieces of the same buffer. */
  get shares(): boolean {
    return this.#region.size !== this.#region.buffer.size;
  }

  /** Whether the adapter had no memory for it. */
  get refused(): boolean {
    return this.device.buffers.refused(this.#region.buffer);
  }

  /** From here on the contents are there, where the caller has put them. */
  moveTo(region: Region, free: () => void): void {
    this.#free();
    this.#region = region;
    this.#free = free;
    layouts++;
  }

  /** The two swap what they hold. Nothing is copied. */
  swap(other: Storage): void {
    [this.#region, other.#region] = [other.#region, this.#region];
    [this.#free, other.#free] = [other.#free, this.#free];
    layouts++;
  }

  /** Whether the contents were freed because nothing held them. */
  get freed(): boolean {
    return Number.isNaN(this.version);
  }

  retain(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    this.#holders--;
    if (this.#holders > 0 || this.freed) return;
    this.version = Number.NaN;
    this.#free();
  }
}

let layouts = 0;

/** Changes whenever contents move: a plan depends on what shares a buffer, and where in it. */
export const layoutVersion = (): number => layouts;

/** Invalidates earlier plans, as if contents had moved. */
export const outdatePlans = (): void => {
  layouts++;
};
