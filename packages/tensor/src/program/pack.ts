/**
 * Packing: many calls of one kernel on contiguous variables (an optimiser's step, one call a parameter) become one
 * call on all of them. What else such calls read, the gradients, is made contiguous too: planning gives it such places.
 */
import { bytesOf, type Kernel, sizeOf, type TensorSpec } from "@ddad/kernels-wgsl";
import {
  mapRecord,
  type Pack,
  type Program,
  type ProgramCall,
  structureKey,
  type ValueId,
} from "./program.ts";

/**
 * Into how many packs a long series is cut, about. The values of a pack have fixed places in one buffer, which everything that
 * meets them must keep out of: smaller packs leave more room for the rest.
 */
const packsOfSeries = 16;

/** Bytes up to which a pack is small enough, however short the series. */
const smallPack = 2 ** 18;

/** A pure function: an equivalent program with fewer calls. Those on values in `except` stay as they are. */
export function packProgram(program: Program, except: ReadonlySet<ValueId> = new Set()): Program {
  if (program.runs.length === 0) return program;
  const packing = new Packing(program, except);
  packing.packGroups();
  packing.packChains();
  return packing.program();
}

interface Entry {
  readonly index: number;
  readonly call: ProgramCall;
}

class Packing {
  readonly #program: Program;
  readonly #values: TensorSpec[];
  readonly #packs: Pack[] = [];
  readonly #packOf = new Map<string, ValueId>();
  /** The computed values that have a place in a pack. */
  readonly #placed = new Map<ValueId, ValueId>();
  /** Calls that take the place of the one at an index: none, or several. */
  readonly #replaced = new Map<number, readonly ProgramCall[]>();
  #assignments: Program["assignments"];
  /** Where leaves lie: their run, and their number in it. */
  readonly #position = new Map<ValueId, readonly [run: number, number: number]>();
  readonly #fixed: ReadonlySet<ValueId>;
  readonly #uses = new Map<ValueId, number>();
  /** Leaves that a value is assigned to. */
  readonly #targets = new Map<ValueId, ValueId[]>();
  readonly #results: ReadonlySet<ValueId>;

  constructor(program: Program, except: ReadonlySet<ValueId>) {
    this.#program = program;
    this.#values = [...program.values];
    this.#assignments = program.assignments;
    program.runs.forEach(({ leaves }, k) => {
      leaves.forEach((id, number) => {
        this.#position.set(id, [k, number]);
      });
    });
    const { calls, results, assignments } = program;
    for (const { inputs } of calls)
      for (const id of Object.values(inputs)) this.#uses.set(id, (this.#uses.get(id) ?? 0) + 1);
    for (const [value, leaf] of assignments)
      this.#targets.set(value, [...(this.#targets.get(value) ?? []), leaf]);
    this.#results = new Set(results);
    this.#fixed = new Set([
      ...except,
      ...results,
      ...assignments.map(([value]) => value),
      ...calls.flatMap(({ kernel, inputs, outputs }) =>
        Object.entries(kernel.updates ?? {}).flatMap(([output, input]) => [
          inputs[input!]!,
          outputs[output]!,
        ]),
      ),
    ]);
  }

  program(): Program {
    return {
      ...this.#program,
      values: this.#values,
      calls: this.#program.calls.flatMap((call, index) => this.#replaced.get(index) ?? [call]),
      assignments: this.#assignments,
      packs: this.#packs,
    };
  }

  /** Calls that update variables: runs of them that are contiguous in every input. */
  packGroups(): void {
    const groups = new Map<string, Entry[]>();
    this.#program.calls.forEach((call, index) => {
      const { packs } = call.kernel;
      if (!packs || packs.carry || call.constants.length > 0 || !this.#onlyAssigns(call)) return;
      const shared = packs.shared.map((name) => call.inputs[name]);
      const key = [call.kernel.name, structureKey(call.kernel, call.call.attrs), ...shared].join(" ");
      groups.set(key, [...(groups.get(key) ?? []), { index, call }]);
    });
    for (const entries of groups.values()) {
      const [role] = Object.values(entries[0]!.call.kernel.updates ?? {});
      const at = ({ call }: Entry) => this.#position.get(call.inputs[role!]!);
      const ordered = entries
        .filter((entry) => at(entry) !== undefined)
        .sort((a, b) => at(a)![0] - at(b)![0] || at(a)![1] - at(b)![1]);
      for (const stretch of this.#stretches(ordered)) if (stretch.length > 1) this.#packStretch(stretch);
    }
  }

  /** Sums over everything: what lies in a pack is summed as a whole. */
  packChains(): void {
    for (const chain of this.#chains()) {
      const { packs, inputs: names } = chain[0]!.call.kernel;
      const [carry, sum] = packs!.carry!;
      const role = names.find((name) => name !== carry)!;
      const links = new Map(chain.map(({ call }) => [call.inputs[role]!, call]));
      const whole = this.#packs.filter(({ members }) => members.every((id) => links.has(id)));
      if (whole.length === 0 || links.size < chain.length) continue;
      const packed = new Set(whole.flatMap(({ members }) => members));
      const terms = [
        ...whole.map(({ value }) => value),
        ...[...links.keys()].filter((id) => !packed.has(id)),
      ];
      const { call: last, index } = chain.at(-1)!;
      let carried = chain[0]!.call.inputs[carry]!;
      const calls = terms.map((term, k) => {
        const output = k === terms.length - 1 ? last.outputs[sum]! : this.#newValue(last.call.outputs[sum]!);
        const call = this.#callOn(
          links.get(term) ?? last,
          { [role]: term, [carry]: carried },
          { [sum]: output },
        );
        carried = output;
        return call;
      });
      for (const entry of chain) this.#replaced.set(entry.index, []);
      this.#replaced.set(index, calls);
    }
  }

  /** Whether the call's outputs are nothing but the next values of what it updates. */
  #onlyAssigns({ kernel, inputs, outputs }: ProgramCall): boolean {
    return Object.entries(outputs).every(([output, id]) => {
      const leaf = inputs[kernel.updates?.[output] ?? ""];
      const targets = this.#targets.get(id) ?? [];
      return !this.#uses.has(id) && !this.#results.has(id) && targets.length === 1 && targets[0] === leaf;
    });
  }

  /** Cuts calls, ordered by their variables, wherever an input is not contiguous. */
  #stretches(entries: readonly Entry[]): Entry[][] {
    const stretches: Entry[][] = [];
    const sizeOfEntry = ({ call }: Entry): number =>
      Math.max(...Object.values(call.call.inputs).map(bytesOf));
    const total = entries.reduce((sum, entry) => sum + sizeOfEntry(entry), 0);
    const most = Math.max(smallPack, total / packsOfSeries);
    let bytes = 0;
    for (const entry of entries) {
      const stretch = stretches.at(-1);
      const size = sizeOfEntry(entry);
      if (stretch && bytes + size <= most && this.#follows(stretch.at(-1)!.call, entry.call)) {
        stretch.push(entry);
        bytes += size;
      } else if (this.#packable(entry.call)) {
        stretches.push([entry]);
        bytes = size;
      }
    }
    return stretches;
  }

  #packedInputs({ kernel, inputs }: ProgramCall): [string, ValueId][] {
    return Object.entries(inputs).filter(([name]) => !kernel.packs!.shared.includes(name));
  }

  /** Whether every packed input has a place of its own: in a run, or one that planning is free to choose. */
  #packable(call: ProgramCall): boolean {
    return this.#packedInputs(call).every(([, id]) => this.#position.has(id) || this.#movable(id));
  }

  #movable(id: ValueId): boolean {
    return id >= this.#program.leaves && !this.#fixed.has(id) && this.#values[id]!.dtype === "f32";
  }

  #follows(before: ProgramCall, call: ProgramCall): boolean {
    return this.#packedInputs(call).every(([name, id]) => {
      const [run, number] = this.#position.get(id) ?? [];
      const [runBefore, numberBefore] = this.#position.get(before.inputs[name]!) ?? [];
      if (run === undefined || runBefore === undefined)
        return run === runBefore && this.#movable(id) && id !== before.inputs[name];
      return run === runBefore && number === numberBefore! + 1;
    });
  }

  #packStretch(stretch: readonly Entry[]): void {
    const { call: first } = stretch[0]!;
    const members = (name: string): ValueId[] => stretch.map(({ call }) => call.inputs[name]!);
    const roles = this.#packedInputs(first).map(([name]) => name);
    if (!roles.every((name) => this.#mayPack(members(name)))) return;
    const inputs = mapRecord(first.inputs, (id, name) =>
      roles.includes(name) ? this.#pack(members(name)) : id,
    );
    const outputs = mapRecord(first.outputs, () => this.#newValue(this.#values[inputs[roles[0]!]!]!));
    const last = Math.max(...stretch.map(({ index }) => index));
    for (const { index } of stretch) this.#replaced.set(index, []);
    this.#replaced.set(last, [this.#callOn(first, inputs, outputs)]);
    const dropped = new Set(stretch.flatMap(({ call }) => Object.values(call.outputs)));
    this.#assignments = [
      ...this.#assignments.filter(([value]) => !dropped.has(value)),
      ...Object.entries(outputs).map(([name, id]) => [id, inputs[first.kernel.updates![name]!]!] as const),
    ];
  }

  /** Whether these values are in no pack yet, or in exactly this one; and none is there twice. */
  #mayPack(members: readonly ValueId[]): boolean {
    if (new Set(members).size < members.length) return false;
    return this.#packOf.has(members.join(",")) || members.every((id) => !this.#placed.has(id));
  }

  /** The value of contiguous members. */
  #pack(members: readonly ValueId[]): ValueId {
    const key = members.join(",");
    const known = this.#packOf.get(key);
    if (known !== undefined) return known;
    const size = members.reduce((sum, id) => sum + sizeOf(this.#values[id]!.shape), 0);
    const value = this.#newValue({ shape: [size], dtype: "f32" });
    this.#packs.push({ value, members });
    this.#packOf.set(key, value);
    for (const id of members) if (id >= this.#program.leaves) this.#placed.set(id, value);
    return value;
  }

  #newValue(spec: TensorSpec): ValueId {
    return this.#values.push(spec) - 1;
  }

  /** The same call on other values, packs among them. */
  #callOn(
    { kernel, call }: ProgramCall,
    inputs: Readonly<Record<string, ValueId>>,
    outputs: Readonly<Record<string, ValueId>>,
  ): ProgramCall {
    const packs = new Set(this.#packOf.values());
    const specs = mapRecord(inputs, (id, name) => (packs.has(id) ? this.#values[id]! : call.inputs[name]!));
    const { attrs } = call;
    return {
      kernel,
      call: { inputs: specs, attrs, ...kernel.infer(specs, attrs) },
      inputs,
      outputs,
      constants: [],
    };
  }

  /** Chains of calls in which each adds to the result of the one before it, and nothing else reads the intermediates. */
  #chains(): Entry[][] {
    const { calls } = this.#program;
    const kept = (id: ValueId): boolean => this.#results.has(id) || this.#targets.has(id);
    const byCarried = new Map<ValueId, Entry>();
    const heads: Entry[] = [];
    const made = new Map<ValueId, Kernel>();
    calls.forEach((call, index) => {
      const { kernel, inputs, outputs } = call;
      for (const id of Object.values(outputs)) made.set(id, kernel);
      if (!kernel.packs?.carry) return;
      const carried = inputs[kernel.packs.carry[0]]!;
      if (made.get(carried) === kernel && this.#uses.get(carried) === 1 && !kept(carried))
        byCarried.set(carried, { index, call });
      else heads.push({ index, call });
    });
    return heads.map((head) => {
      const chain = [head];
      for (let next: Entry | undefined = head; next; ) {
        next = byCarried.get(next.call.outputs[next.call.kernel.packs!.carry![1]]!);
        if (next) chain.push(next);
      }
      return chain;
    });
  }
}
