/**
 * Group norm on a software adapter: one dispatch, no barriers. A subgroup owns an image's block of channels, whole
 * groups of them, and goes over its pixels twice: once for the sums, once to apply them, while the block is still in the core's
 * cache. Each lane takes four channels of every `phases`th pixel; lanes exchange what they summed by shuffles.
 */
import { type Capabilities, grid, type Pass } from "../kernel.ts";
import { fixedSubgroup } from "../matmul/registerTile.ts";
import { ceilDiv } from "../spec.ts";
import { quotient, reciprocal, remainder, uniform } from "../uniform.ts";
import type { NormLayout } from "./slabs.ts";

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

const membersOf = ({ channels, groups }: NormLayout): number => channels / groups;

/** WGSL of the group of a channel. */
const groupOf = (channel: string, layout: NormLayout): string =>
  quotient(channel, "members", membersOf(layout), layout.channels);

/**
 * A loop over the groups of a column: `body` sees the first `channel` in each, the column's `i`th, and the group's `place` among those of
 * all images. A loop, because compilers take their time where several loads or stores are written out.
 */
const overGroups = (layout: NormLayout, body: string): string => /* wgsl */ `
    for (var i = 0u; i < 4u; i += ${uniform("stored", greatestDivisor(4, membersOf(layout)))}) {
      let channel = column * 4u + i;
      let own = ${groupOf("channel", layout)};
      let place = image * ${uniform("groups", layout.groups)} + own;
      ${body}
    }`;

/**
 * Stores vectors of the four channels of a `column`, in which all channels of a group hold the same, into arrays per `image` and
 * group, once each.
 */
export function storeGroups(layout: NormLayout, values: Readonly<Record<string, string>>): string {
  const stores = Object.entries(values).map(([name, value]) => `${name}[place] = ${value}[i];`);
  const isFirst = `channel == own * ${uniform("members", membersOf(layout))}`;
  return overGroups(layout, `if (${isFirst}) { ${stores.join(" ")} }`);
}

/** Declares variables that hold what {@link storeGroups} stored. @param arrays by the variables' names */
export function loadGroups(layout: NormLayout, arrays: Readonly<Record<string, string>>): string {
  const names = Object.keys(arrays);
  // Where a column lies in one group, compilers see that its four channels share a register.
  if (membersOf(layout) % 4 === 0) {
    const place = `image * ${uniform("groups", layout.groups)} + ${groupOf("(column * 4u)", layout)}`;
    return names.map((name) => `    let ${name} = vec4f(${arrays[name]}[${place}]);`).join("\n");
  }
  const loads = names.map((name) => `${name} = select(${name}, vec4f(${arrays[name]}[place]), behind);`);
  const behind = "let behind = vec4u(0u, 1u, 2u, 3u) >= vec4u(i);";
  return (
    names.map((name) => `    var ${name} = vec4f();`).join("\n") +
    overGroups(layout, [behind, ...loads].join("\n      "))
  );
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

  /**
   * One subgroup for each block of `together` images: `body` sees each `image`, the lane's `column`, the places `first` and `end` of
   * its first pixel and of the image's end, and `isFirst`, which holds for one lane of a column. `before` and `after` enclose the
   * loop over the images and see `run`, which numbers the images that are taken together. `overPhases(value)` adds up what the
   * lanes of a column have, `overGroup(value)` what the channels of a group have.
   */
  pass(
    bindings: Pick<Pass, "label" | "read" | "write" | "tensors">,
    functions: string,
    { before = "", body, after = "" }: Readonly<{ before?: string; body: string; after?: string }>,
  ): Pass {
    const together = uniform("together", this.together);
    const blocks = this.columns / this.#width;
    const workgroups = grid(ceilDiv(this.layout.images, this.together) * blocks);
    const columns = this.columnsNumber;
    const [width, owned] = [this.#widthNumber, `${this.#phasesNumber} * ${this.#widthNumber}`];
    return {
      ...bindings,
      workgroups,
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
  let run = ${quotient("item", "blocks", blocks, workgroups[0] * workgroups[1])};
  let row = ${quotient("lane", "width", this.#width, this.#lanes)};
  let column = (${remainder("item", "run", "blocks", blocks)}) * ${width} + ${remainder("lane", "row", "width", this.#width)};
  let isFirst = lane < ${width};
${before}
  for (var image = run * ${together}; image < min((run + 1u) * ${together}, params.images); image++) {
    let end = (image + 1u) * params.pixels * ${columns};
    let begin = (image * params.pixels + row) * ${columns} + column;
    let first = select(end, begin, lane < ${owned});
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
  var other = lane;
  for (var p = 1u; p < ${this.#phasesNumber}; p++) {
    other += ${this.#widthNumber};
    other -= select(0u, ${owned}, other >= ${owned});
    sum += subgroupShuffle(value, other);
  }
  return sum;
}`;
  }

  /**
   * Two pipelines serve groups of all sizes: one where they are whole columns, one where they lie in a column or share some. One for both
   * takes up to 13 % more processor time on lavapipe, because four channels no longer share a register.
   */
  #overGroup(): string {
    const { members } = this;
    const most = 4 * this.#lanes;
    if (members % 4 === 0) {
      const whole = uniform("whole", members / 4);
      return /* wgsl */ `
fn overGroup(value: vec4f) -> vec4f {
  let row = ${quotient("lane", "width", this.#width, this.#lanes)};
  let own = ${remainder("lane", "row", "width", this.#width)};
  let columnSum = (value.x + value.y) + (value.z + value.w);
  let first = ${quotient("own", "whole", members / 4, most)} * ${whole};
  var sum = 0.0;
  for (var c = 0u; c < ${whole}; c++) { sum += subgroupShuffle(columnSum, first + c); }
  return vec4f(sum);
}`;
    }
    const [factor, shift] = reciprocal(members, most)!;
    const groupsOf = (column: string) =>
      `((vec4u(${column} * 4u) + vec4u(0u, 1u, 2u, 3u)) * ${uniform("shareFactor", factor)}) >> vec4u(${uniform("shareShift", shift)})`;
    const count = uniform("members", members);
    // A division here: with a product and a shift all of the forward pass takes 2 % longer on lavapipe.
    return /* wgsl */ `
fn overGroup(value: vec4f) -> vec4f {
  let own = lane % ${this.#widthNumber};
  // Groups of one or two channels lie in a column. Where they share columns, each column's channels go to the sums of their groups.
  var sum = select(vec4f(), select(value, value + value.yxwz, ${count} == 2u), ${count} <= 2u);
  for (var c = 0u; c < ${uniform("sharing", members > 2 ? this.#width : 0)}; c++) {
    let other = subgroupShuffle(value, c);
    let groups = ${groupsOf("c")};
    let ours = ${groupsOf("own")};
${[0, 1, 2, 3].map((i) => `    sum += select(vec4f(), vec4f(other[${i}]), ours == vec4u(groups[${i}]));`).join("\n")}
  }
  return sum;
}`;
  }
}
