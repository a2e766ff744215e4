/** For tests of the passes: programs without buffers, and what must hold of every plan. */
import type { Capabilities } from "@ddad/kernels-wgsl";
import { expect } from "chai";
import type { Lowered } from "../src/program/lower.ts";
import { offsetOf, type Place, type planProgram } from "../src/program/plan.ts";
import { captureProgram } from "../src/program/program.ts";
import { Tensor } from "../src/tensor.ts";

export const caps: Capabilities = {
  adapterClass: "software",
  f16: false,
  subgroups: false,
  subgroupSizes: [0, 0],
  maxInvocations: 256,
  workgroupMemory: 16384,
  maxStorageBuffers: 8,
};

let placeholders = 0;
/** A leaf that has no buffer: the passes do not need one. */
export const leaf = (...shape: number[]): Tensor =>
  new Tensor({ shape, dtype: "f32" }, { kind: "argument", index: placeholders++ });

export const capture = (...targets: Tensor[]) => captureProgram(targets).program;
export const assignTo = (variable: Tensor, value: Tensor, ...targets: Tensor[]) =>
  captureProgram(targets, [{ value, leaf: variable }]).program;

/**
 * No dispatch may bind one buffer both for reading and for writing, nor write one piece of it twice, nor read what another value
 * overwrote, in part or as a whole.
 */
export function checkPlan(
  { dispatches, updates, leaves, bytes, runs, packs }: Lowered,
  plan: ReturnType<typeof planProgram>,
): void {
  interface Piece {
    readonly buffer: string;
    readonly from: number;
    readonly to: number;
  }
  const shared = new Map<number, Piece>();
  for (const [index, { leaves: run, buffer }] of runs.entries()) {
    let from = index * 2 ** 24; // a gap between the runs of one buffer
    for (const id of run) {
      shared.set(id, { buffer: `shared ${buffer}`, from, to: from + bytes[id]! });
      from += bytes[id]!;
    }
  }
  const membersOf = (id: number): readonly number[] =>
    packs.find(({ value }) => value === id)?.members ?? [id];
  const pieceAt = (place: Place, size: number): Piece => {
    const { buffer, from } = (place.kind === "leaf" ? shared.get(place.index) : undefined) ?? {
      buffer: `${place.kind} ${place.index}`,
      from: offsetOf(place),
    };
    return { buffer, from, to: from + size };
  };
  const pieceOf = (id: number): Piece => pieceAt(plan.places[id]!, bytes[id]!);
  const overlap = (a: Piece, b: Piece): boolean => a.buffer === b.buffer && a.from < b.to && b.from < a.to;
  // Where each value is now: after a copy in two places.
  let content: (Piece & { readonly id: number })[] = [];
  const clear = (piece: Piece): void => {
    content = content.filter((kept) => !overlap(kept, piece));
  };
  const store = (id: number, piece: Piece): void => {
    clear(piece);
    content.push({ id, ...piece });
  };
  const expectAt = (id: number, piece: Piece, what: string): void => {
    expect(content, what).to.deep.include({ id, ...piece });
  };
  /** A value, or the members of a pack, with their pieces when the whole begins at `start`. */
  const partsOf = (id: number, start: Piece): [number, Piece][] => {
    let { from } = start;
    return membersOf(id).map((member) => {
      const piece = { buffer: start.buffer, from, to: from + bytes[member]! };
      from = piece.to;
      return [member, piece];
    });
  };
  for (let id = 0; id < leaves; id++) content.push({ id, ...pieceOf(id) });
  for (const { value } of packs) {
    for (const [member, piece] of partsOf(value, pieceOf(value)))
      expect(pieceOf(member), `v${member} in the pack v${value}`).to.deep.equal(piece);
  }
  const copyBefore = (step: number): void => {
    for (const copy of plan.copies.filter(({ before }) => before === step)) {
      const [from, to] = [pieceAt(copy.from, copy.bytes), pieceAt(copy.to, copy.bytes)];
      expect(from.buffer, "a copy inside of one buffer").to.not.equal(to.buffer);
      const moved = content.filter((kept) => overlap(kept, from));
      clear(to);
      for (const { id, from: start, to: end } of moved)
        content.push({
          id,
          buffer: to.buffer,
          from: start - from.from + to.from,
          to: end - from.from + to.from,
        });
    }
  };
  dispatches.forEach(({ shader, values, label }, step) => {
    copyBefore(step);
    const writes = values.map((_, k) => shader.bindings[k]!.access === "read_write");
    values.forEach((id, k) => {
      const piece = pieceOf(id);
      values.forEach((other, m) => {
        if (m === k || (!writes[k] && !writes[m])) return;
        if (writes[k] !== writes[m])
          expect(pieceOf(other).buffer, `${label} reads and writes`).to.not.equal(piece.buffer);
        else expect(overlap(pieceOf(other), piece), `${label} writes a piece twice`).to.equal(false);
      });
      if (writes[k]) return;
      for (const [member, part] of partsOf(id, piece)) expectAt(member, part, `${label} reads v${member}`);
    });
    values.forEach((id, k) => {
      if (!writes[k]) return;
      const source = updates.find(([output]) => output === id)?.[1];
      const begun = content.some((kept) => kept.id === id);
      if (source !== undefined && !begun) {
        for (const [member, part] of partsOf(source, pieceOf(id)))
          expectAt(member, part, `${label} updates v${member}`);
      }
      store(id, pieceOf(id));
    });
  });
  copyBefore(dispatches.length);
}
