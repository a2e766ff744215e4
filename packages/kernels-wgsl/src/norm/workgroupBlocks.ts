/**
 * Group norm on a GPU in one dispatch: a workgroup owns an image's block of channels, whole groups of them. Its lanes are the block's
 * columns of four channels × rows of pixels, so that neighbouring lanes read neighbouring memory; a lane takes every `rows`th pixel
 * and keeps what it has read.
 *
 * Where a block pays: one multiprocessor moves some 100 GB/s through its caches and normalises some 10 elements a nanosecond with
 * SiLU. The 128 KB that a workgroup of 1024 lanes can keep, eight pixels of four channels each, come in 1.3 µs, wait 3 µs for
 * arithmetic and leave in 1.3 µs; the two or three dispatches that are spared cost 3 to 5 µs each, even where there are far fewer
 * workgroups than multiprocessors, and where there are more, nothing is read twice. A larger block takes several times as long, while
 * passes over slabs would keep the whole GPU busy: that is left to measuring.
 */
import { type Capabilities, grid, type Pass } from "../kernel.ts";
import { perWorkgroup } from "../reduce/workgroup.ts";
import { wholeBlocks } from "./blocks.ts";
import { type NormLayout, perGroup } from "./slabs.ts";

/** Pixels of a lane that it keeps: 128 bytes, half of the registers that each of 1024 lanes has on most GPUs. */
export const keptPixels = 8;
/** Pixels of a lane up to which measuring is worth its time. */
const measuredPixels = 64;
/** Pixels of a lane that leave it enough loads to wait for at once. */
const wantedPixels = 4;
/** Lanes below which there is nothing to gain by giving each more pixels, */
const fewLanes = 256;
/** and the most of them. */
const mostLanes = 1024;
/** Bytes of four channels in f32. */
const vectorBytes = 16;
/** Bytes of workgroup memory for each lane. */
const laneBytes = 2 * vectorBytes;
/** Bytes that memory moves at once: narrower rows of a block cost as much. */
const sectorBytes = 32;
/** Bytes of a cache line, */
const lineBytes = 128;
/** which rows fill as far as that leaves so many workgroups, several for each multiprocessor of a large GPU. */
const plentyWorkgroups = 512;
/** Rows that are added up between two barriers. */
const foldedRows = 8;

const bytesOfChannel = ({ dtype }: NormLayout): number => (dtype === "f16" ? 2 : 4);

/** Rows of lanes of a block: a power of two, not more than there are pixels. */
function rowsOf(pixels: number, width: number, lanes: number): number {
  const wanted = Math.min(lanes, Math.max(fewLanes, Math.ceil((pixels * width) / wantedPixels)));
  return 2 ** Math.floor(Math.log2(Math.min(pixels, Math.max(1, wanted / width))));
}

/**
 * The blocks of a layout; undefined on a software adapter, where barriers are dear, and where no block of whole groups leaves a lane
 * at most `most` pixels, and as many bytes as those have at most.
 */
export function workgroupBlocksOf(
  caps: Capabilities,
  layout: NormLayout,
  most = keptPixels,
): WorkgroupBlocks | undefined {
  if (caps.adapterClass === "software") return undefined;
  const lanes = Math.min(mostLanes, caps.maxInvocations, Math.floor(caps.workgroupMemory / laneBytes));
  const possible = wholeBlocks(layout, 4 * lanes)
    .map((channels) => new WorkgroupBlocks(layout, channels, lanes))
    .filter(({ perLane, moved }) => perLane <= most && moved <= most * lanes * vectorBytes);
  const wide = possible.filter(
    (block) => block.rowBytes <= lineBytes && block.workgroups >= plentyWorkgroups,
  );
  const narrow = possible.find(({ rowBytes }) => rowBytes >= sectorBytes) ?? possible.at(-1);
  return narrow && [narrow, ...wide].reduce((a, b) => (b.rowBytes > a.rowBytes ? b : a));
}

/** Larger blocks than {@link workgroupBlocksOf} takes by itself. */
export const measuredBlocksOf = (caps: Capabilities, layout: NormLayout): WorkgroupBlocks | undefined =>
  workgroupBlocksOf(caps, layout) ? undefined : workgroupBlocksOf(caps, layout, measuredPixels);

/** A value for each pixel of a lane: WGSL that declares what is kept of it, computes it first, and has it again. */
export interface PixelValue {
  readonly declare: string;
  readonly first: (pixel: string) => string;
  readonly again: (pixel: string) => string;
}

/** Everything the passes of one call bake into their source. */
export class WorkgroupBlocks {
  readonly layout: NormLayout;
  /** WGSL type of four channels as they are stored. */
  readonly stored: string;
  /** Channels in a group. */
  readonly members: number;
  /** Columns of four channels in a pixel. */
  readonly columns: number;
  /** Neighbouring bytes of a block. */
  readonly rowBytes: number;
  readonly workgroups: number;
  /** Bytes that reading a block moves. */
  readonly moved: number;
  /** Pixels that a lane takes at most. */
  readonly perLane: number;
  /** Columns of a block. */
  readonly #width: number;
  readonly #rows: number;

  /**
   * @param channels of a block
   * @param lanes that a workgroup may have
   */
  constructor(layout: NormLayout, channels: number, lanes: number) {
    this.layout = layout;
    this.stored = `vec4<${layout.dtype}>`;
    this.members = layout.channels / layout.groups;
    this.columns = layout.channels / 4;
    this.rowBytes = channels * bytesOfChannel(layout);
    this.moved = layout.pixels * Math.max(this.rowBytes, sectorBytes);
    this.workgroups = layout.images * (layout.channels / channels);
    this.#width = channels / 4;
    this.#rows = rowsOf(layout.pixels, this.#width, lanes);
    this.perLane = Math.ceil(layout.pixels / this.#rows);
  }

  /** This lane's channels of an array per image and group: see {@link perGroup}. */
  perGroup(name: string): string {
    return perGroup(this.layout, 4, name);
  }

  /**
   * A vector for each pixel of a lane, in variables of its own where there are at most `most` of them, so that no compiler need
   * unroll a loop to keep them in registers; computed again otherwise. `expression` sees `at` and what `pixel` ends the names of.
   */
  value(name: string, expression: (pixel: string) => string, most = keptPixels): PixelValue {
    const kept = this.perLane <= most;
    const fresh = (pixel: string) => `let ${name}${pixel} = ${expression(pixel)};`;
    return {
      declare: kept
        ? Array.from({ length: this.perLane }, (_, k) => `  var ${name}${k} = vec4f();`).join("\n")
        : "",
      first: kept ? (pixel) => `${name}${pixel} = ${expression(pixel)};` : fresh,
      again: kept ? () => "" : fresh,
    };
  }

  /** `body` for each pixel of a lane, with its place `at`: written out where pixels can be kept, a loop otherwise. */
  overPixels(body: (pixel: string) => string): string {
    const step = this.#rows * this.columns;
    if (this.perLane > keptPixels)
      return /* wgsl */ `
  for (var at = first; at < end; at += ${step}u) {
${body("")}
  }`;
    // Only the last one may lie past the end.
    const pixel = (k: number) => /* wgsl */ `
  ${k === this.perLane - 1 ? `if (first + ${k * step}u < end) ` : ""}{
    let at = first + ${k * step}u;
${body(String(k))}
  }`;
    return Array.from({ length: this.perLane }, (_, k) => pixel(k)).join("");
  }

  /**
   * Stores each lane's vectors under the names of {@link pass}'s `sums` and adds them up over the pixels: then `NAME[own]` is the
   * sum of this lane's column, and `NAMEOfGroup(own)` that of its channels' groups.
   */
  addUp(values: Readonly<Record<string, string>>): string {
    const names = Object.keys(values);
    const steps: string[] = [];
    for (let rows = this.#rows; rows > 1; rows /= Math.min(foldedRows, rows)) {
      const left = (rows / Math.min(foldedRows, rows)) * this.#width;
      const others = Array.from({ length: Math.min(foldedRows, rows) - 1 }, (_, k) => (k + 1) * left);
      const fold = (name: string) =>
        `${name}[lane] += ${others.map((offset) => `${name}[lane + ${offset}u]`).join(" + ")};`;
      steps.push(/* wgsl */ `
  if (lane < ${left}u) {
    ${names.map(fold).join("\n    ")}
  }
  workgroupBarrier();`);
    }
    // The first barrier waits for lanes that still read the sums before.
    return /* wgsl */ `
  workgroupBarrier();
  ${names.map((name) => `${name}[lane] = ${values[name]};`).join("\n  ")}
  workgroupBarrier();${steps.join("")}`;
  }

  /**
   * One workgroup for each block: `body` sees `image`, the lane's `column` and its place `own` in the block, the places `first` and
   * `end` of its first pixel and of the image's end, and `isFirst`, which holds for one lane of a column.
   * @param sums names of what lanes add up, at most two
   */
  pass(
    bindings: Pick<Pass, "label" | "read" | "write">,
    sums: readonly string[],
    functions: string,
    body: string,
  ): Pass {
    const { columns } = this;
    const blocks = columns / this.#width;
    const prologue = /* wgsl */ `
  let image = item / ${blocks}u;
  let own = lane % ${this.#width}u;
  let isFirst = lane < ${this.#width}u;
  let column = item % ${blocks}u * ${this.#width}u + own;
  let first = (image * params.pixels + lane / ${this.#width}u) * ${columns}u + column;
  let end = (image + 1u) * params.pixels * ${columns}u;
`;
    const lanes = this.#rows * this.#width;
    return {
      ...bindings,
      workgroups: grid(this.workgroups),
      code:
        functions +
        sums
          .map((name) => `var<workgroup> ${name}: array<vec4f, ${lanes}>;\n${this.#ofGroup(name)}`)
          .join("") +
        perWorkgroup(lanes, `params.images * ${blocks}u`, prologue + body),
    };
  }

  #ofGroup(name: string): string {
    const { members } = this;
    const body: Readonly<Record<number, string>> = {
      1: "return value;",
      2: "return value + value.yxwz;",
      4: "return vec4f((value.x + value.y) + (value.z + value.w));",
    };
    const columns = /* wgsl */ `var sum = vec4f();
  let begin = own - own % ${members / 4}u;
  for (var c = begin; c < begin + ${members / 4}u; c++) { sum += ${name}[c]; }
  return vec4f((sum.x + sum.y) + (sum.z + sum.w));`;
    const channels = /* wgsl */ `var sum = vec4f();
  for (var i = 0u; i < 4u; i++) {
    let begin = (own * 4u + i) / ${members}u * ${members}u;
    for (var c = begin; c < begin + ${members}u; c++) { sum[i] += ${name}[c / 4u][c % 4u]; }
  }
  return sum;`;
    return /* wgsl */ `
fn ${name}OfGroup(own: u32) -> vec4f {
  ${body[members] ? `let value = ${name}[own];\n  ${body[members]}` : members % 4 === 0 ? columns : channels}
}
`;
  }
}
