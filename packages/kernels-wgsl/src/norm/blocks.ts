/**
 * Group norm on a software adapter: one dispatch, no barriers. A subgroup owns an image's block of channels, whole
 * groups of them, and goes over its pixels twice: once for the sums, once to apply them, while the block is still in the core's
 * cache. Each lane takes four channels of every `phases`th pixel; lanes exchange what they summed by shuffles.
 */
import { type Capabilities, grid, type Pass } from "../kernel.ts";
import { fixedSubgroup } from "../matmul/registerTile.ts";
import { ceilDiv } from "../spec.ts";
import { uniform } from "../uniform.ts";
import { type NormLayout, perGroup } from "./slabs.ts";

/** Channels that fill a cache line: every line of a narrower block is read by several cores. */
const lineChannels = 16;
/** Subgroups that keep the cores of most CPUs busy. */
const wantedSubgroups = 8;
/** Fewest subgroups allowed for more than `smallElements` elements. */
const fewestSubgroups = 4;
const smallElements = 2 ** 17;

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));

/** What the channels of a block can be, ascending: whole groups and whole fours, at most `most` of them. */
export function wholeBlocks({ channels, groups }: NormLayout, most: number): number[] {
  const members = channels / groups;
  const unit = (4 * members) / greatestDivisor(4, members);
  const possible: number[] = [];
  for (let block = unit; block <= Math.min(most, channels); block += unit)
    if (channels % block === 0) possible.push(block);
  return possible;
}

/**
 * Channels of a block, at most four a lane; 0 where there are none such. The most that leave `wantedSubgroups`, but not less than a
 * cache line, or half of one where there would be too few subgroups.
 * @param runs images that are not taken together
 */
function blockChannels(layout: NormLayout, lanes: number, runs: number): number {
  const possible = wholeBlocks(layout, 4 * lanes);
  const subgroups = (block: number) => (runs * layout.channels) / block;
  const wanted = possible.filter((block) => subgroups(block) >= wantedSubgroups);
  const least = subgroups(lineChannels) >= fewestSubgroups ? lineChannels : lineChannels / 2;
  return possible.find((block) => block >= Math.max(least, ...wanted)) ?? possible.at(-1) ?? 0;
}

/**
 * Stores vectors of the four channels of a `column`, in which all channels of a group hold the same, into arrays per `image` and
 * group, once each.
 */
export function storeGroups(
  { channels, groups }: NormLayout,
  values: Readonly<Record<string, string>>,
): string {
  const members = channels / groups;
  const [perGroup, count] = [uniform("members", members), uniform("groups", groups)];
  // A loop, because compilers take their time where several stores are written out.
  const stores = Object.entries(values)
    .map(([name, value]) => `${name}[image * ${count} + channel / ${perGroup}] = ${value}[i];`)
    .join(" ");
  return `for (var i = 0u; i < 4u; i += ${uniform("stored", greatestDivisor(4, members))}) {
        let channel = column * 4u + i;
        if (channel % ${perGroup} == 0u) { ${stores} }
      }`;
}

/**
 * The blocks of a layout; undefined on a GPU, where lanes cannot shuffle, where a group is too large for a subgroup, and where few
 * subgroups would do much, while passes over slabs keep any number of cores busy.
 * @param together images that a subgroup takes one after another
 */
export function blocksOf(caps: Capabilities, layout: NormLayout, together = 1): Blocks | undefined {
  const { images, pixels, channels } = layout;
  const lanes = caps.adapterClass === "software" ? fixedSubgroup(caps) : 0;
  const runs = ceilDiv(images, together);
  const block = blockChannels(layout, lanes, runs);
  if (!block) return undefined;
  const few = (runs * channels) / block < fewestSubgroups && images * pixels * channels > smallElements;
  return few ? undefined : new Blocks(layout, lanes, block, together);
}

/** How the passes of one call share the work. */
export class Blocks {
  readonly layout: NormLayout;
  /** Images that a subgroup takes one after another. */
  readonly together: number;
  /** WGSL type of four channels as they are stored. */
  readonly stored: string;
  /** Channels in a group. */
  readonly members: number;
  /** Columns of four channels in a pixel. */
  readonly columns: number;
  /** The same as WGSL. */
  readonly columnsNumber: string;
  /** Distance in memory between two pixels of a lane, as WGSL. */
  readonly step: string;
  /** Columns of a block. */
  readonly #width: number;
  /** Pixels that a subgroup has in hand at once. */
  readonly #phases: number;
  /** The same two as WGSL. */
  readonly #widthNumber: string;
  readonly #phasesNumber: string;
  readonly #lanes: number;

  /** @param channels of a block */
  constructor(layout: NormLayout, lanes: number, channels: number, together: number) {
    this.layout = layout;
    this.together = together;
    this.stored = `vec4<${layout.dtype}>`;
    this.members = layout.channels / layout.groups;
    this.columns = layout.channels / 4;
    this.#width = channels / 4;
    this.#phases = Math.floor(lanes / this.#width);
    this.#widthNumber = uniform("width", this.#width);
    this.#phasesNumber = uniform("phases", this.#phases);
    this.columnsNumber = uniform("columns", this.columns);
    this.step = `(${this.#phasesNumber} * ${this.columnsNumber})`;
    this.#lanes = lanes;
  }

  /** This lane's channels of an array per image and group: see {@link perGroup}. */
  perGroup(name: string): string {
    return perGroup(this.layout, 4, name);
  }

  /**
   * One subgroup for each block of `together` images: `body` sees each `image`, the lane's `column`, the places `first` and `end` of
   * its first pixel and of the image's end, and `isFirst`, which holds for one lane of a column. `before` and `after` enclose the
   * loop over the images and see `run`, which numbers the images that are taken together. `overPhases(value)` adds up what the
   * lanes of a column have, `overGroup(value)` what the channels of a group have.
   */
  pass(
    bindings: Pick<Pass, "label" | "read" | "write">,
    functions: string,
    { before = "", body, after = "" }: Readonly<{ before?: string; body: string; after?: string }>,
  ): Pass {
    const together = uniform("together", this.together);
    const blocks = uniform("blocks", this.columns / this.#width);
    const columns = this.columnsNumber;
    const [width, owned] = [this.#widthNumber, `${this.#phasesNumber} * ${this.#widthNumber}`];
    return {
      ...bindings,
      workgroups: grid((ceilDiv(this.layout.images, this.together) * this.columns) / this.#width),
      code: /* wgsl */ `
var<private> lane: u32;
${this.#overPhases()}
${this.#overGroup()}
${functions}
@compute @workgroup_size(${this.#lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(subgroup_invocation_id) invocation: u32) {
  lane = invocation;
  let item = group.y * groups.x + group.x;
  let run = item / ${blocks};
  let column = item % ${blocks} * ${width} + lane % ${width};
  let isFirst = lane < ${width};
${before}
  for (var image = run * ${together}; image < min((run + 1u) * ${together}, params.images); image++) {
    let end = (image + 1u) * params.pixels * ${columns};
    let own = (image * params.pixels + lane / ${width}) * ${columns} + column;
    let first = select(end, own, lane < ${owned});
${body}
  }
${after}
}
`,
    };
  }

  #overPhases(): string {
    const owned = `(${this.#phasesNumber} * ${this.#widthNumber})`;
    return /* wgsl */ `
fn overPhases(value: vec4f) -> vec4f {
  var sum = value;
  for (var p = 1u; p < ${this.#phasesNumber}; p++) { sum += subgroupShuffle(value, (lane + p * ${this.#widthNumber}) % ${owned}); }
  return sum;
}`;
  }

  #overGroup(): string {
    const members = uniform("members", this.members);
    // One, two or four channels of a column: one pipeline for all three.
    if ([1, 2, 4].includes(this.members))
      return /* wgsl */ `
fn overGroup(value: vec4f) -> vec4f {
  let pairs = value + value.yxwz;
  let several = select(pairs, vec4f(pairs.x + pairs.z), ${members} == 4u);
  return select(several, value, ${members} == 1u);
}`;
    if (this.members % 4 === 0)
      return /* wgsl */ `
fn overGroup(value: vec4f) -> vec4f {
  let whole = (value.x + value.y) + (value.z + value.w);
  let column = lane % ${this.#widthNumber};
  let first = column - column % (${members} / 4u);
  var sum = 0.0;
  for (var c = 0u; c < ${members} / 4u; c++) { sum += subgroupShuffle(whole, first + c); }
  return vec4f(sum);
}`;
    // Each column's channels go to the sums of their groups.
    return /* wgsl */ `
fn overGroup(value: vec4f) -> vec4f {
  let own = (vec4u(lane % ${this.#widthNumber} * 4u) + vec4u(0u, 1u, 2u, 3u)) / ${members};
  var sum = vec4f();
  for (var column = 0u; column < ${this.#widthNumber}; column++) {
    let other = subgroupShuffle(value, column);
    let groups = (vec4u(column * 4u) + vec4u(0u, 1u, 2u, 3u)) / ${members};
${[0, 1, 2, 3].map((i) => `    sum += select(vec4f(), vec4f(other[${i}]), own == vec4u(groups[${i}]));`).join("\n")}
  }
  return sum;
}`;
  }
}
