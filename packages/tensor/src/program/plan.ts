/** Planning: which buffer each value lives in. A pure function; the binding rules of WebGPU ask for whole buffers. */
import type { Lowered } from "./lower.ts";
import type { ValueId } from "./program.ts";

/** Where a value lives while the plan runs. */
export type Place =
  | { readonly kind: "leaf"; readonly index: number }
  | { readonly kind: "result"; readonly index: number }
  | { readonly kind: "slot"; readonly index: number };

/** A copy of a whole buffer, before the dispatch `before` (or after the last one). */
export interface Copy {
  readonly before: number;
  readonly from: Place;
  readonly to: Place;
  readonly bytes: number;
}

export interface Plan {
  /** Place of each value; undefined for one that nothing uses. */
  readonly places: readonly (Place | undefined)[];
  /** Bytes of each intermediate buffer. */
  readonly slots: readonly number[];
  readonly copies: readonly Copy[];
  /** Bytes of each result's buffer. */
  readonly results: readonly number[];
  /** Largest sum of the bytes of intermediate values that are alive at once: the least any plan could need. */
  readonly liveBytes: number;
}

interface Life {
  first: number;
  last: number;
}

export function planProgram(lowered: Lowered): Plan {
  const { leaves, dispatches, bytes, results } = lowered;
  const end = dispatches.length;
  const lives = livesOf(lowered);
  const places = new Array<Place | undefined>(bytes.length).fill(undefined);
  const copies: Copy[] = [];
  for (let id = 0; id < leaves; id++) places[id] = { kind: "leaf", index: id };
  results.forEach((id, index) => {
    places[id] = { kind: "result", index };
  });

  const pendingAssignments = lowered.assignments.filter(([value, leaf]) => {
    if (!canWriteInPlace(value, leaf, lowered, lives) || places[value] !== undefined) return true;
    places[value] = { kind: "leaf", index: leaf };
    return false;
  });

  const updated = new Map(lowered.updates);
  const tenants = new Map<ValueId, Tenant>();
  const births = groupBy([...lives.keys()], (id) => lives.get(id)!.first);
  for (let step = 0; step < end; step++) {
    for (const id of births.get(step) ?? []) {
      if (places[id] !== undefined) continue;
      const { first, last } = lives.get(id)!;
      const source = updated.get(id);
      const inherited = source === undefined ? undefined : tenants.get(source);
      if (inherited?.last === step) {
        inherited.last = last;
        tenants.set(id, inherited);
      } else tenants.set(id, { bytes: bytes[id]!, first, last, slot: -1 });
    }
  }
  const distinct = [...new Set(tenants.values())];
  const slots = assignSlots(distinct);
  for (const [id, { slot }] of tenants) places[id] = { kind: "slot", index: slot };
  for (const [id, source] of updated) {
    const place = places[id];
    if (place === undefined || samePlace(place, places[source]!)) continue;
    copies.push({ before: lives.get(id)!.first, from: places[source]!, to: place, bytes: bytes[id]! });
  }
  copies.sort((a, b) => a.before - b.before);
  for (const [value, leaf] of pendingAssignments) {
    copies.push({
      before: end,
      from: places[value]!,
      to: { kind: "leaf", index: leaf },
      bytes: bytes[leaf]!,
    });
  }
  return {
    places,
    slots,
    copies,
    results: results.map((id) => bytes[id]!),
    liveBytes: largestLive(distinct, end),
  };
}

export const samePlace = (a: Place, b: Place): boolean => a.kind === b.kind && a.index === b.index;

/** First and last dispatch that touch each value made here. Results and values to assign live to the end. */
function livesOf({ leaves, dispatches, results, assignments, updates }: Lowered): Map<ValueId, Life> {
  const lives = new Map<ValueId, Life>();
  const inputsOf = new Map(updates);
  dispatches.forEach(({ values }, step) => {
    for (const id of values) {
      touch(id, step);
      const source = inputsOf.get(id);
      if (source !== undefined && lives.get(id)!.first === step) touch(source, step);
    }
  });
  const end = dispatches.length;
  for (const id of [...results, ...assignments.map(([value]) => value)]) if (id >= leaves) touch(id, end);
  return lives;

  function touch(id: ValueId, step: number): void {
    if (id < leaves) return;
    const life = lives.get(id);
    if (life) life.last = Math.max(life.last, step);
    else lives.set(id, { first: step, last: step });
  }
}

/**
 * Whether `value` may be written straight into the leaf it will replace: nothing reads the old contents once the first
 * dispatch that writes `value` runs. That dispatch itself may read them only as the input that it updates.
 */
function canWriteInPlace(
  value: ValueId,
  leaf: ValueId,
  lowered: Lowered,
  lives: ReadonlyMap<ValueId, Life>,
): boolean {
  if (value < lowered.leaves) return false;
  const first = lives.get(value)!.first;
  const updatesLeaf = lowered.updates.some(([output, input]) => output === value && input === leaf);
  for (let step = first; step < lowered.dispatches.length; step++) {
    if (lowered.dispatches[step]!.values.includes(leaf)) return false;
  }
  // Another assignment or update must not read the old contents either.
  const otherwiseRead = lowered.updates.some(([output, input]) => input === leaf && output !== value);
  return !otherwiseRead && (updatesLeaf || !lowered.updates.some(([output]) => output === value));
}

function groupBy(ids: readonly ValueId[], key: (id: ValueId) => number): Map<number, ValueId[]> {
  const groups = new Map<number, ValueId[]>();
  for (const id of ids) groups.set(key(id), [...(groups.get(key(id)) ?? []), id]);
  return groups;
}

/** What lives in a buffer for a while: a value, and those that overwrite it. */
interface Tenant {
  readonly bytes: number;
  readonly first: number;
  last: number;
  slot: number;
}

/**
 * Gives each tenant a buffer: the largest first, so that a buffer never grows, and of equals the one that lives longest; in the
 * first buffer that is free all the while, else in a new one.
 *
 * @returns bytes of each buffer
 */
function assignSlots(tenants: readonly Tenant[]): number[] {
  const sizes: number[] = [];
  const taken: Tenant[][] = [];
  const lifetime = ({ first, last }: Tenant): number => last - first;
  for (const tenant of [...tenants].sort((a, b) => b.bytes - a.bytes || lifetime(b) - lifetime(a))) {
    const meets = ({ first, last }: Tenant): boolean => first <= tenant.last && tenant.first <= last;
    let slot = taken.findIndex((others) => !others.some(meets));
    if (slot < 0) {
      slot = sizes.push(tenant.bytes) - 1;
      taken.push([]);
    }
    tenant.slot = slot;
    taken[slot]!.push(tenant);
  }
  return sizes;
}

/** The most bytes that are alive at one dispatch. */
function largestLive(tenants: readonly Tenant[], end: number): number {
  const changes = new Array<number>(end + 2).fill(0);
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
