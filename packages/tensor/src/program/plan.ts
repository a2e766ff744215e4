/** Planning: where each value lives. A pure function. */
import type { Dispatch, Lowered } from "./lower.ts";
import type { Pack, ValueId } from "./program.ts";
import { assignSlots, type Block, largestLive, type Tenant } from "./slots.ts";

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
  // A pack of leaves begins where the first of them does.
  const leafPacks = lowered.packs.filter(({ members }) => members[0]! < leaves);
  for (const { value, members } of leafPacks) places[value] = { kind: "leaf", index: members[0]! };
  results.forEach((id, index) => {
    places[id] = { kind: "result", index };
  });

  const pendingAssignments = lowered.assignments.filter(([value, leaf]) => {
    if (places[value] !== undefined || !canWriteInPlace(value, leaf, lowered, lives, places)) return true;
    places[value] = places[leaf];
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
  const packed = new Map(lowered.packs.map(({ value, members }) => [value, members]));
  const membersOf = (id: ValueId): readonly ValueId[] => packed.get(id) ?? [id];
  for (const dispatch of dispatches) keepApart(dispatch, membersOf, tenants);
  for (const [id, source] of updated) separate(tenants.get(id), tenants.get(source));
  const distinct = [...new Set(tenants.values())];
  const slots = assignSlots(blocksOf(distinct, lowered.packs, tenants));
  for (const [id, { slot, offset }] of tenants) places[id] = { kind: "slot", index: slot, offset };
  for (const { value, members } of lowered.packs) places[value] ??= places[members[0]!];
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
      to: places[leaf]!,
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
function keepApart(
  { shader, values }: Dispatch,
  membersOf: (id: ValueId) => readonly ValueId[],
  tenants: ReadonlyMap<ValueId, Tenant>,
): void {
  const bound = (access: "read" | "read_write"): ValueId[] =>
    values.filter((_, k) => shader.bindings[k]!.access === access).flatMap(membersOf);
  const read = bound("read");
  for (const written of bound("read_write"))
    for (const other of read) separate(tenants.get(written), tenants.get(other));
}

function separate(a: Tenant | undefined, b: Tenant | undefined): void {
  if (!a || !b || a === b) return;
  a.apart.add(b);
  b.apart.add(a);
}

/** Tenants that planning places, those of a pack together. */
function blocksOf(
  tenants: readonly Tenant[],
  packs: readonly Pack[],
  byValue: ReadonlyMap<ValueId, Tenant>,
): Block[] {
  const packed = packs.map(({ members }) => members.flatMap((id) => byValue.get(id) ?? []));
  const inPacks = new Set(packed.flat());
  const alone = tenants.filter((tenant) => !inPacks.has(tenant)).map((tenant) => [tenant]);
  return [...packed.filter(({ length }) => length > 0), ...alone];
}

/**
 * Values that must not be in their pack: a dispatch reads them and writes another value of it, which WebGPU refuses within one
 * buffer.
 */
export function misplaced({ dispatches, packs }: Lowered): ValueId[] {
  const packOf = new Map(packs.flatMap((pack) => pack.members.map((id) => [id, pack] as const)));
  const found = new Set<ValueId>();
  for (const { shader, values } of dispatches) {
    const packsOf = (access: "read" | "read_write"): [ValueId, Pack | undefined][] =>
      values.filter((_, k) => shader.bindings[k]!.access === access).map((id) => [id, packOf.get(id)]);
    const written = new Set(packsOf("read_write").map(([, pack]) => pack));
    for (const [id, pack] of packsOf("read")) if (pack && written.has(pack)) found.add(id);
  }
  return [...found];
}

/** First and last dispatch that touch each value made here. Results and values to assign live to the end. */
function livesOf({ leaves, dispatches, results, assignments, updates, packs }: Lowered): Map<ValueId, Life> {
  const lives = new Map<ValueId, Life>();
  const membersOf = new Map(packs.map(({ value, members }) => [value, members]));
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
    const members = membersOf.get(id);
    if (members) {
      for (const member of members) touch(member, step);
      return;
    }
    const life = lives.get(id);
    if (life) life.last = Math.max(life.last, step);
    else lives.set(id, { first: step, last: step });
  }
}

/**
 * Whether `value` may be written straight into the leaf it will replace: nothing reads the old contents once the first
 * dispatch that writes `value` runs. That dispatch itself may read them only as the input that it updates. And no dispatch or copy
 * meets both `value` and something else in the leaf's buffer, to read the one and write the other.
 *
 * @param places of leaves, results and what is written in place already
 */
function canWriteInPlace(
  value: ValueId,
  leaf: ValueId,
  lowered: Lowered,
  lives: ReadonlyMap<ValueId, Life>,
  places: readonly (Place | undefined)[],
): boolean {
  if (value < lowered.leaves) return false;
  const first = lives.get(value)!.first;
  const updatesLeaf = lowered.updates.some(([output, input]) => output === value && input === leaf);
  const same = overlapping(leaf, lowered.packs);
  const neighbours = sharingBuffer(same, lowered);
  const inBuffer = (id: ValueId): boolean => {
    const place = places[id];
    return place?.kind === "leaf" && neighbours.has(place.index);
  };
  for (let step = first; step < lowered.dispatches.length; step++) {
    const { values, shader } = lowered.dispatches[step]!;
    if (values.some((id) => same.has(id))) return false;
    const own = values.indexOf(value);
    if (own < 0) continue;
    const { access } = shader.bindings[own]!;
    if (values.some((id, k) => shader.bindings[k]!.access !== access && inBuffer(id))) return false;
  }
  if (lowered.assignments.some(([other, to]) => other === value && to !== leaf && inBuffer(to))) return false;
  // Another assignment or update must not read the old contents either.
  const otherwiseRead = lowered.updates.some(([output, input]) => same.has(input) && output !== value);
  return !otherwiseRead && (updatesLeaf || !lowered.updates.some(([output]) => output === value));
}

/** A leaf or a pack of leaves, and all of both that it shares memory with. */
function overlapping(leaf: ValueId, packs: readonly Pack[]): Set<ValueId> {
  const own = packs.find(({ value }) => value === leaf)?.members ?? [leaf];
  const others = packs.filter(({ members }) => members.some((id) => own.includes(id)));
  return new Set([leaf, ...own, ...others.map(({ value }) => value)]);
}

/** The leaves in the buffers that these leaves share with others. */
function sharingBuffer(leaves: ReadonlySet<ValueId>, { runs }: Lowered): Set<ValueId> {
  const buffers = new Set(
    runs.filter((run) => run.leaves.some((id) => leaves.has(id))).map((run) => run.buffer),
  );
  return new Set(runs.filter(({ buffer }) => buffers.has(buffer)).flatMap((run) => run.leaves));
}

function groupBy(ids: readonly ValueId[], key: (id: ValueId) => number): Map<number, ValueId[]> {
  const groups = new Map<number, ValueId[]>();
  for (const id of ids) groups.set(key(id), [...(groups.get(key(id)) ?? []), id]);
  return groups;
}
