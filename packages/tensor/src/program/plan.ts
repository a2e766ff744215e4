/** Planning: where each value lives. A pure function. */
import type { Dispatch, Lowered } from "./lower.ts";
import type { ValueId } from "./program.ts";
import { assignSlots, largestLive, type Tenant } from "./slots.ts";

/** Where a value lives while the plan runs. */
export type Place =
  | { readonly kind: "leaf"; readonly index: number }
  | { readonly kind: "result"; readonly index: number }
  | { readonly kind: "slot"; readonly index: number; readonly offset: number };

/** A copy of a whole value, before the dispatch `before` (or after the last one). */
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
      } else tenants.set(id, { bytes: bytes[id]!, first, last, apart: new Set(), slot: -1, offset: 0 });
    }
  }
  for (const dispatch of dispatches) keepApart(dispatch, tenants);
  for (const [id, source] of updated) separate(tenants.get(id), tenants.get(source));
  const distinct = [...new Set(tenants.values())];
  const slots = assignSlots(distinct);
  for (const [id, { slot, offset }] of tenants) places[id] = { kind: "slot", index: slot, offset };
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

export const samePlace = (a: Place, b: Place): boolean =>
  a.kind === b.kind && a.index === b.index && offsetOf(a) === offsetOf(b);

/** Bytes before a place in its buffer. */
export const offsetOf = (place: Place): number => (place.kind === "slot" ? place.offset : 0);

/** What a dispatch reads and what it writes must not share a buffer. */
function keepApart({ shader, values }: Dispatch, tenants: ReadonlyMap<ValueId, Tenant>): void {
  const writes = (binding: number): boolean => shader.bindings[binding]!.access === "read_write";
  values.forEach((id, binding) => {
    if (!writes(binding)) return;
    values.forEach((other, k) => {
      if (!writes(k)) separate(tenants.get(id), tenants.get(other));
    });
  });
}

function separate(a: Tenant | undefined, b: Tenant | undefined): void {
  if (!a || !b || a === b) return;
  a.apart.add(b);
  b.apart.add(a);
}

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
