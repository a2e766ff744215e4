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
  const slots = new SlotAllocator();
  let live = 0;
  let liveBytes = 0;
  const births = groupBy([...lives.keys()], (id) => lives.get(id)!.first);
  const deaths = groupBy([...lives.keys()], (id) => lives.get(id)!.last);
  for (let step = 0; step < end; step++) {
    for (const id of births.get(step) ?? []) {
      const source = updated.get(id);
      if (places[id] === undefined) {
        const inherited = source === undefined ? undefined : places[source];
        const dies = source !== undefined && lives.get(source)?.last === step;
        if (inherited?.kind === "slot" && dies) {
          places[id] = inherited;
          slots.keep(inherited.index);
        } else {
          places[id] = { kind: "slot", index: slots.take(bytes[id]!) };
          live += bytes[id]!;
        }
      }
      if (source !== undefined && !samePlace(places[id]!, places[source]!)) {
        copies.push({ before: step, from: places[source]!, to: places[id]!, bytes: bytes[id]! });
      }
    }
    liveBytes = Math.max(liveBytes, live);
    for (const id of deaths.get(step) ?? []) {
      const place = places[id];
      if (place?.kind !== "slot") continue;
      if (slots.release(place.index)) live -= bytes[id]!;
    }
  }
  for (const [value, leaf] of pendingAssignments) {
    copies.push({
      before: end,
      from: places[value]!,
      to: { kind: "leaf", index: leaf },
      bytes: bytes[leaf]!,
    });
  }
  return { places, slots: slots.sizes, copies, results: results.map((id) => bytes[id]!), liveBytes };
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

/** Whole buffers by size: a free one that fits best, else the largest free one grows, else a new one. */
class SlotAllocator {
  readonly sizes: number[] = [];
  readonly #users: number[] = [];

  take(bytes: number): number {
    let best = -1;
    let largest = -1;
    this.#users.forEach((users, index) => {
      if (users) return;
      const size = this.sizes[index]!;
      if (size >= bytes && (best < 0 || size < this.sizes[best]!)) best = index;
      if (largest < 0 || size > this.sizes[largest]!) largest = index;
    });
    // A buffer more than twice as large is left for a value that needs it, unless nothing else is free.
    const chosen = best >= 0 ? best : largest;
    if (chosen < 0) {
      this.#users.push(1);
      return this.sizes.push(bytes) - 1;
    }
    this.sizes[chosen] = Math.max(this.sizes[chosen]!, bytes);
    this.#users[chosen] = 1;
    return chosen;
  }

  /** One more value lives in this buffer: the one that overwrites it. */
  keep(index: number): void {
    this.#users[index]!++;
  }

  /** Whether the buffer is free again. */
  release(index: number): boolean {
    this.#users[index]!--;
    return this.#users[index] === 0;
  }
}
