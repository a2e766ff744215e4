/** A program: the work of one `evaluate`, as plain printable data on numbered values. */
import { type Call, type Kernel, show, type TensorSpec } from "@ddad/kernels-wgsl";
import type { Storage } from "../storage.ts";
import { type AnyTensor, type Node, resolve } from "../tensor.ts";

/** Index into `Program.values`. */
export type ValueId = number;

/** One use of a kernel on values. */
export interface ProgramCall {
  readonly kernel: Kernel;
  /** Shapes, types, attributes and parameters: what decides the shader. */
  readonly call: Call;
  readonly inputs: Readonly<Record<string, ValueId>>;
  readonly outputs: Readonly<Record<string, ValueId>>;
  /** Where in `Program.constants` those of the call are. */
  readonly constants: readonly number[];
}

export interface Program {
  /** What is known of each value. The first `leaves` of them exist before the program runs. */
  readonly values: readonly TensorSpec[];
  readonly leaves: number;
  /** In an order in which they can run. */
  readonly calls: readonly ProgramCall[];
  /** Numbers of all calls, 32 bits each. Programs that differ in them alone run the same plan. */
  readonly constants: readonly number[];
  /** Values that must outlive the program, each in a new buffer of its own. */
  readonly results: readonly ValueId[];
  /** Values that overwrite a leaf (or a pack of leaves) when the program ends: `[value, leaf]`. */
  readonly assignments: readonly (readonly [value: ValueId, leaf: ValueId])[];
  /** Leaves in buffers that they share with others. */
  readonly runs: readonly Run[];
  /** Values that are several others, contiguous in their order: all of them leaves, or none. */
  readonly packs: readonly Pack[];
}

/** Leaves that are contiguous in memory, in their order. */
export interface Run {
  readonly leaves: readonly ValueId[];
  /** Number of the buffer; several runs may be in one. */
  readonly buffer: number;
}

export interface Pack {
  readonly value: ValueId;
  readonly members: readonly ValueId[];
}

/** A program and the tensors behind its leaves, in the order of their ids. */
export interface Captured {
  readonly program: Program;
  readonly leaves: readonly AnyTensor[];
  /** Value behind each target, in the order given. */
  readonly targets: readonly ValueId[];
}

/** Nodes that `targets` depend on, in the order of recording; it is not looked behind tensors of which `ends` holds. */
export function nodesBehind(
  targets: readonly AnyTensor[],
  ends: (tensor: AnyTensor) => boolean = () => false,
): Node[] {
  const seen = new Set<Node>();
  const stack = [...targets];
  for (let tensor = stack.pop(); tensor; tensor = stack.pop()) {
    const { source } = tensor;
    if (source.kind !== "node" || seen.has(source.node) || ends(tensor)) continue;
    seen.add(source.node);
    stack.push(...Object.values(source.node.inputs));
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/**
 * The program that computes `targets` and then overwrites `assigned` leaves. A target that is only a view shares the
 * value of what it views.
 */
export function captureProgram(
  targets: readonly AnyTensor[],
  assigned: readonly { readonly value: AnyTensor; readonly leaf: AnyTensor }[] = [],
): Captured {
  const roots = [...targets.map(resolve), ...assigned.map(({ value }) => value)];
  const nodes = nodesBehind(roots);
  const ids = new Map<AnyTensor, ValueId>();
  const byPlace = new Map<unknown, ValueId>();
  const values: TensorSpec[] = [];
  const leaves: AnyTensor[] = [];
  const addLeaf = (tensor: AnyTensor): ValueId => {
    const { source } = tensor;
    // Two tensors over one buffer are one leaf, because a buffer is bound once.
    const place = source.kind === "storage" ? source.storage : tensor;
    let id = byPlace.get(place);
    if (id === undefined) {
      id = values.push({ shape: tensor.shape, dtype: tensor.dtype }) - 1;
      byPlace.set(place, id);
      leaves.push(tensor);
    }
    ids.set(tensor, id);
    return id;
  };
  for (const tensor of [
    ...nodes.flatMap(({ inputs }) => Object.values(inputs)),
    ...roots,
    ...assigned.map(({ leaf }) => leaf),
  ]) {
    if (tensor.source.kind !== "node" && !ids.has(tensor)) addLeaf(tensor);
  }
  const calls: ProgramCall[] = [];
  const constants: number[] = [];
  for (const node of nodes) {
    const inputs = mapRecord(node.inputs, (tensor) => ids.get(tensor)!);
    if (!node.kernel) {
      for (const output of Object.values(node.outputs)) ids.set(output, inputs["x"]!);
      continue;
    }
    const outputs = mapRecord(node.outputs, (tensor) => {
      const id = values.push({ shape: tensor.shape, dtype: tensor.dtype }) - 1;
      ids.set(tensor, id);
      return id;
    });
    const call: Call = {
      inputs: mapRecord(node.inputs, specOf),
      outputs: mapRecord(node.outputs, specOf),
      attrs: node.attrs,
      params: node.params,
      constants: node.constants,
    };
    const places = node.constants.map((bits) => constants.push(bits) - 1);
    calls.push({ kernel: node.kernel, call, inputs, outputs, constants: places });
  }
  const targetIds = targets.map((tensor) => ids.get(resolve(tensor))!);
  const program: Program = {
    values,
    leaves: leaves.length,
    calls,
    constants,
    results: [...new Set(targetIds.filter((id) => id >= leaves.length))],
    assignments: assigned.map(({ value, leaf }) => [ids.get(value)!, ids.get(leaf)!] as const),
    runs: runsOf(leaves.map(({ source }) => (source.kind === "storage" ? source.storage : undefined))),
    packs: [],
  };
  return { program, leaves, targets: targetIds };
}

/** The runs of leaves in these places; undefined for one that has a buffer of its own. */
export function runsOf(leaves: readonly (Storage | undefined)[]): Run[] {
  const byBuffer = new Map<GPUBuffer, { id: ValueId; from: number; to: number }[]>();
  leaves.forEach((storage, id) => {
    if (!storage?.shares) return;
    const { buffer, offset, size } = storage.region;
    const pieces = byBuffer.get(buffer) ?? [];
    pieces.push({ id, from: offset, to: offset + size });
    byBuffer.set(buffer, pieces);
  });
  return [...byBuffer.values()].flatMap((pieces, buffer) => {
    const runs: { leaves: ValueId[]; buffer: number }[] = [];
    let end = Number.NaN;
    for (const { id, from, to } of pieces.sort((a, b) => a.from - b.from)) {
      if (from === end) runs.at(-1)!.leaves.push(id);
      else runs.push({ leaves: [id], buffer });
      end = to;
    }
    return runs;
  });
}

const specOf = ({ shape, dtype }: AnyTensor): TensorSpec => ({ shape, dtype });

export function mapRecord<T, U>(
  entries: Readonly<Record<string, T>>,
  fn: (value: T, key: string) => U,
): Record<string, U> {
  return Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, fn(value, key)]));
}

/** Two programs with the same key run the same plan: they differ at most in their constants. */
export function programKey(program: Program): string {
  const parts: string[] = [];
  for (let id = 0; id < program.leaves; id++) {
    const { dtype, shape } = program.values[id]!;
    parts.push(`${dtype}${shape.join(",")}`);
  }
  for (const { kernel, call, inputs } of program.calls) {
    let text = kernel.name;
    for (const name of Object.keys(inputs))
      text += ` ${name}=${inputs[name]}:${call.inputs[name]!.shape.join()}`;
    parts.push(text, structureKey(kernel, call.attrs));
  }
  parts.push(
    program.results.join(","),
    program.assignments.join(";"),
    ...program.runs.map(({ leaves, buffer }) => `${buffer}:${leaves}`),
  );
  return parts.join("|");
}

/** Two calls with the same key are the same work: kernel, attributes but constants, shapes and types of the inputs. */
export function callKey({ kernel, call }: Pick<ProgramCall, "kernel" | "call">): string {
  const inputs = Object.entries(call.inputs).map(
    ([name, { dtype, shape }]) => `${name} ${dtype} ${show(shape)}`,
  );
  return [kernel.name, ...inputs, structureKey(kernel, call.attrs)].join("; ");
}

/** What of a call's attributes decides its shader. */
export const structureKey = (kernel: Kernel, attrs: unknown): string =>
  keyOf(kernel.structure ? kernel.structure(attrs) : attrs);

/** Plain data as text, different for different data: JSON has one word for NaN and both infinities, and one for 0 and −0. */
export function keyOf(value: unknown): string {
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object" || value === null) return String(value);
  // Concatenation: every op of every evaluation passes here.
  let text = "";
  if (Array.isArray(value)) {
    for (const entry of value) text += `${keyOf(entry)},`;
    return `[${text}]`;
  }
  for (const name of Object.keys(value)) {
    const entry: unknown = value[name as keyof typeof value];
    if (entry !== undefined) text += `${plainName.test(name) ? name : JSON.stringify(name)}:${keyOf(entry)},`;
  }
  return `{${text}}`;
}

const plainName = /^\w+$/;

/** One line per call, for display: `v7 f32 [2, 8] = matmul(a: v0, b: v1)`. */
export function printProgram(program: Program): string {
  const name = (id: ValueId): string => `v${id}`;
  const lines = program.calls.map(({ kernel, call, inputs, outputs }) => {
    const left = Object.entries(outputs).map(([key, id]) => {
      const { dtype, shape } = call.outputs[key]!;
      return `${name(id)} ${dtype} ${show(shape)}`;
    });
    const right = Object.entries(inputs).map(([key, id]) => `${key}: ${name(id)}`);
    return `${left.join(", ")} = ${kernel.name}(${right.join(", ")})`;
  });
  return [
    ...program.packs.map(
      ({ value, members }) => `${name(value)} = ${members.map(name).join(", ")} contiguous`,
    ),
    ...lines,
    ...program.assignments.map(([value, leaf]) => `${name(leaf)} ← ${name(value)}`),
    `results: ${program.results.map(name).join(", ")}`,
  ].join("\n");
}
