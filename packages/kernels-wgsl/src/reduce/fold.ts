/**
 * One pass of a reduction in which threads share an output: each combines some of its values, with several loads under way at
 * once, and then the threads combine what they have.
 */
import { grid, type Pass } from "../kernel.ts";
import { bytesPerElement, ceilDiv, type DType, storageType } from "../spec.ts";
import { uniform } from "../uniform.ts";
import { type Layout, offset } from "./loops.ts";

/** Type of a total inside a shader: f16 is combined in f32. */
export type TotalType = "f32" | "i32" | "u32";

/** How two values become one. */
export interface Combination {
  /** WGSL that combines a total with one more value: scalars or vectors of four. */
  combine(total: string, value: string, width: 1 | 4): string;
  /** WGSL functions that `combine` calls. */
  readonly functions: string;
  /** The identity. WGSL cannot write an infinite one; combining a value twice is harmless there. */
  readonly identity: number;
  /** Type of the totals. */
  readonly total: TotalType;
  /** Whether an error grows with the number of terms that are added to one total, so that long sums are nested. */
  readonly rounds: boolean;
}

/** Terms that are added to one total before it is added to the next one up: the error of a sum is that of so many terms a level. */
export const termsAtOnce = 16;

/** Levels above the first that every sum has, needed or not, so that sums of most lengths share a pipeline. */
const usualDepth = 2;

/** The threads of a workgroup: contiguous outputs, and threads for each. Powers of two. */
export interface Threads {
  readonly across: number;
  readonly down: number;
  /** Whether a workgroup is one subgroup, whose lanes combine by shuffles; otherwise by workgroup memory. */
  readonly shuffles: boolean;
  /** Loads that a thread has under way at once. */
  readonly loads: number;
}

/** Contiguous bytes that a workgroup reads: one fetch of the adapter and no more, to leave enough workgroups. */
const lineBytes = 64;
const mostThreads = 256;
const fewestThreads = 64;

const powerAbove = (n: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, n)));

/** Contiguous outputs that fill a line. */
const lineOf = ({ along, width, outputs, dtype }: Layout): number =>
  along === "kept" ? Math.min(lineBytes / (width * bytesPerElement(dtype)), powerAbove(outputs)) : 1;

/** Threads that combine by workgroup memory: what a GPU needs to be busy while it waits for memory. */
export function workgroupThreads(layout: Layout): Threads {
  const line = lineOf(layout);
  const down = Math.min(mostThreads / line, powerAbove(layout.values));
  return { across: Math.max(line, fewestThreads / down), down, shuffles: false, loads: 8 };
}

/** The lanes of one subgroup, for software adapters: no workgroup memory, no barriers. */
export function subgroupThreads(layout: Layout, lanes: number): Threads {
  const across = Math.min(lanes, lineOf(layout));
  return { across, down: lanes / across, shuffles: true, loads: 4 };
}

/** Workgroups that make all outputs, each as a whole. */
export const tilesOf = ({ outputs }: Layout, { across }: Threads): number => ceilDiv(outputs, across);

/** Bytes that such a workgroup reads. */
export const tileBytes = ({ values, width, dtype }: Layout, { across }: Threads): number =>
  values * across * width * bytesPerElement(dtype);

/** As many parts or fewer, such that none is empty. */
export const filledParts = ({ values }: Layout, parts: number): number =>
  values ? ceilDiv(values, ceilDiv(values, parts)) : 1;

/** Combines a list of terms as a balanced tree. */
const pairs = (terms: readonly string[], width: 1 | 4, combine: Combination["combine"]): string => {
  if (terms.length === 1) return terms[0]!;
  const half = terms.length / 2;
  const [left, right] = [terms.slice(0, half), terms.slice(half)].map((part) => pairs(part, width, combine));
  return `(${combine(left!, right!, width)})`;
};

/**
 * WGSL of the loop over loads: `body` adds to the variable `total`. Long sums are nested, each level of {@link termsAtOnce} steps,
 * so that rounding errors grow with the logarithm of the number of terms.
 */
function nestedLoop(
  { combine, identity, rounds }: Combination,
  { steps, width, type }: { readonly steps: number; readonly width: 1 | 4; readonly type: string },
  more: string,
  body: (total: string) => string,
): string {
  const depth = rounds ? Math.max(usualDepth, Math.ceil(Math.log(steps) / Math.log(termsAtOnce)) - 1) : 0;
  const level = (of: number, total: string): string => {
    if (of < 0) return body(total);
    const inner = of === 0 ? total : `total${of}`;
    const bound = of === depth ? more : `step${of} < ${termsAtOnce}u && ${more}`;
    return /* wgsl */ `
  for (var step${of} = 0u; ${bound}; step${of}++) {
${of === 0 ? body(total) : `var ${inner} = ${type}(${identity});${level(of - 1, inner)}\n${total} = ${combine(total, inner, width)};`}
  }`;
  };
  return level(depth, "total");
}

const repeat = <T>(count: number, item: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => item(index));

/** WGSL that combines the `all` of those threads that have the same `own`; the thread with `phase` 0 has the result. */
function exchange({ combine }: Combination, { across, down, shuffles }: Threads, width: 1 | 4): string {
  if (shuffles)
    return repeat(
      Math.log2(down),
      (step) => `  all = ${combine("all", `subgroupShuffleXor(all, ${across * 2 ** step}u)`, width)};`,
    ).join("\n");
  return /* wgsl */ `
  let place = phase * ${across}u + own;
  totals[place] = all;
  workgroupBarrier();
  for (var half = ${down >> 1}u; half > 0u; half /= 2u) {
    if (phase < half) { totals[place] = ${combine("totals[place]", `totals[place + half * ${across}u]`, width)}; }
    workgroupBarrier();
  }
  all = totals[own];`;
}

/**
 * Reads the binding `from`, which lies as `layout` says, and writes to `to` the [parts, outputs] of type `stored`: what each part of
 * the values combines to. No part is empty.
 */
export function foldPass(
  combination: Combination,
  layout: Layout,
  threads: Threads,
  { from, to, stored }: { readonly from: string; readonly to: string; readonly stored: DType },
  parts: number,
): Pass {
  const { combine, identity, total: totalType, functions } = combination;
  const { kept, reduced, along, width, outputs, values, dtype } = layout;
  const { across, down, shuffles, loads } = threads;
  const tiles = tilesOf(layout, threads);
  const length = ceilDiv(values, parts);
  const vector = (type: string, of: 1 | 4 = width): string => (of === 4 ? `vec4<${type}>` : type);
  const writtenWidth = along === "kept" ? width : 1;
  const written = vector(storageType(stored), writtenWidth);
  const type = vector(totalType);
  const load = (index: string): string => `${type}(${from}[base + ${offset("reduced", index, reduced)}])`;
  const ahead = (steps: number): string => (steps ? `(at + ${steps * down}u)` : "at");
  const components = repeat(4, (j) => `total[${j}]`);
  const loop = nestedLoop(
    combination,
    { steps: Math.floor(length / (loads * down)), width, type },
    `at + ${(loads - 1) * down}u < end`,
    (total) => /* wgsl */ `
${repeat(loads, (step) => `    let value${step} = ${load(ahead(step))};`).join("\n")}
    ${total} = ${combine(
      total,
      pairs(
        repeat(loads, (step) => `value${step}`),
        width,
        combine,
      ),
      width,
    )};
    at += ${loads * down}u;`,
  );
  return {
    read: { [from]: vector(storageType(dtype)) },
    write: { [to]: written },
    workgroups: grid(tiles * parts),
    code: /* wgsl */ `${functions}
${shuffles ? "" : `var<workgroup> totals: array<${vector(totalType, writtenWidth)}, ${across * down}>;`}
@compute @workgroup_size(${across * down})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(${shuffles ? "subgroup_invocation_id" : "local_invocation_index"}) thread: u32) {
  let index = group.y * groups.x + group.x;
  let tiles = ${uniform("tiles", Math.max(1, tiles))};
  let length = ${uniform("length", length)};
  if (index >= tiles * ${uniform("parts", parts)}) { return; }
  let own = ${along === "kept" ? `thread % ${across}u` : `thread / ${down}u`};
  let phase = ${along === "kept" ? `thread / ${across}u` : `thread % ${down}u`};
  let output = index % tiles * ${across}u + own;
  let part = index / tiles;
  let outputs = ${uniform("foldOutputs", outputs)};
  let existing = min(output, max(1u, outputs) - 1u);
  let base = ${offset("kept", "existing", kept)};
  let end = min((part + 1u) * length, ${uniform("values", values)});
  var at = part * length + phase;
  var total = ${Number.isFinite(identity) ? `${type}(${identity})` : load("min(at, end - 1u)")};${loop}
  for (; at < end; at += ${down}u) { total = ${combine("total", load("at"), width)}; }
  var all = ${writtenWidth === width ? "total" : pairs(components, 1, combine)};
${exchange(combination, threads, writtenWidth)}
  if (phase == 0u && output < outputs) { ${to}[part * outputs + output] = ${written}(all); }
}
`,
  };
}
