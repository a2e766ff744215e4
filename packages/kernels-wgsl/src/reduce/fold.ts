/**
 * One pass of a reduction in which threads share an output: each combines some of its values, with several loads under way at
 * once, and then the threads combine what they have.
 */
import { grid, type Pass } from "../kernel.ts";
import { bytesPerElement, ceilDiv } from "../spec.ts";
import { type Layout, offset } from "./loops.ts";

/** How two values become one. */
export interface Combination {
  /** WGSL that combines a total with one more value, whether numbers or vectors. */
  combine(total: string, value: string): string;
  /** What the reduction of no values is. WGSL cannot write it where it is infinite: combining a value twice is harmless then. */
  readonly identity: number;
}

/** The threads of a workgroup: so many outputs side by side, and so many threads for each. Powers of two. */
export interface Threads {
  readonly across: number;
  readonly down: number;
  /** Whether a workgroup is one subgroup, whose lanes combine by shuffles; otherwise by workgroup memory. */
  readonly shuffles: boolean;
  /** Loads that a thread has under way at once. */
  readonly loads: number;
}

/** Bytes side by side that a workgroup reads: what adapters fetch together, and not more, for enough workgroups. */
const lineBytes = 64;
const mostThreads = 256;
const fewestThreads = 64;

const powerAbove = (n: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, n)));

/** Outputs side by side that fill a line. */
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

/** Combines a list of terms by halves. */
const pairs = (terms: readonly string[], combine: Combination["combine"]): string => {
  if (terms.length === 1) return terms[0]!;
  const half = terms.length / 2;
  return `(${combine(pairs(terms.slice(0, half), combine), pairs(terms.slice(half), combine))})`;
};

const repeat = <T>(count: number, item: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => item(index));

/** WGSL that combines the `all` of those threads that have the same `own`; the thread with `phase` 0 has the result. */
function exchange({ combine }: Combination, { across, down, shuffles }: Threads): string {
  if (shuffles)
    return repeat(
      Math.log2(down),
      (step) => `  all = ${combine("all", `subgroupShuffleXor(all, ${across * 2 ** step}u)`)};`,
    ).join("\n");
  return /* wgsl */ `
  let place = phase * ${across}u + own;
  totals[place] = all;
  workgroupBarrier();
  for (var half = ${down >> 1}u; half > 0u; half /= 2u) {
    if (phase < half) { totals[place] = ${combine("totals[place]", `totals[place + half * ${across}u]`)}; }
    workgroupBarrier();
  }
  all = totals[own];`;
}

/**
 * Reads the binding `from`, which lies as `layout` says, and writes to `to` the f32 [parts, outputs]: what each part of the values
 * combines to. No part is empty.
 */
export function foldPass(
  combination: Combination,
  layout: Layout,
  threads: Threads,
  { from, to }: { readonly from: string; readonly to: string },
  parts: number,
): Pass {
  const { combine, identity } = combination;
  const { kept, reduced, along, width, outputs, values, dtype } = layout;
  const { across, down, shuffles, loads } = threads;
  const tiles = tilesOf(layout, threads);
  const length = ceilDiv(values, parts);
  const vector = (type: string): string => (width === 4 ? `vec4<${type}>` : type);
  const written = along === "kept" ? vector("f32") : "f32";
  const load = (index: string): string => `${vector("f32")}(${from}[base + ${offset(index, reduced)}])`;
  const ahead = (steps: number): string => (steps ? `(at + ${steps * down}u)` : "at");
  const components = repeat(4, (j) => `total[${j}]`);
  return {
    read: { [from]: vector(dtype) },
    write: { [to]: written },
    workgroups: grid(tiles * parts),
    code: /* wgsl */ `
${shuffles ? "" : `var<workgroup> totals: array<${written}, ${across * down}>;`}
@compute @workgroup_size(${across * down})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(${shuffles ? "subgroup_invocation_id" : "local_invocation_index"}) thread: u32) {
  let index = group.y * groups.x + group.x;
  if (index >= ${tiles * parts}u) { return; }
  let own = ${along === "kept" ? `thread % ${across}u` : `thread / ${down}u`};
  let phase = ${along === "kept" ? `thread / ${across}u` : `thread % ${down}u`};
  let output = index % ${tiles}u * ${across}u + own;
  let part = index / ${tiles}u;
  let base = ${offset(`min(output, ${Math.max(1, outputs) - 1}u)`, kept)};
  let end = min((part + 1u) * ${length}u, ${values}u);
  var at = part * ${length}u + phase;
  var total = ${Number.isFinite(identity) ? `${vector("f32")}(${identity})` : load("min(at, end - 1u)")};
  for (; at + ${(loads - 1) * down}u < end; at += ${loads * down}u) {
${repeat(loads, (step) => `    let value${step} = ${load(ahead(step))};`).join("\n")}
    total = ${combine(
      "total",
      pairs(
        repeat(loads, (step) => `value${step}`),
        combine,
      ),
    )};
  }
  for (; at < end; at += ${down}u) { total = ${combine("total", load("at"))}; }
  var all = ${written === vector("f32") ? "total" : pairs(components, combine)};
${exchange(combination, threads)}
  if (phase == 0u && output < ${outputs}u) { ${to}[part * ${outputs}u + output] = all; }
}
`,
  };
}
