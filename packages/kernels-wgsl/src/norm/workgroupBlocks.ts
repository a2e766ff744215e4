/**
 * Group norm on a GPU by workgroups that own a block of an image: some neighbouring channels, whole groups of them, of all pixels or of
 * a slab of them. Its lanes are the block's columns of four channels × rows of pixels, so that neighbouring lanes read neighbouring
 * memory; a lane takes every `rows`th pixel and keeps what it has read. `workgroupChoice.ts` says how blocks are cut.
 */
import { grid, type Pass } from "../kernel.ts";
import { perWorkgroup } from "../reduce/workgroup.ts";
import { type NormLayout, perGroup } from "./slabs.ts";

/** Pixels of a lane that it keeps: 128 bytes, half of the registers that each of 1024 lanes has on most GPUs. */
export const keptPixels = 8;
/** Bytes that memory moves at once: narrower rows of a block cost as much. */
export const sectorBytes = 32;
/** Lanes below which there is nothing to gain by giving each more pixels. */
export const fewLanes = 256;
/** Pixels of a lane that leave it enough loads to wait for at once. */
const wantedPixels = 4;
/** Rows that are added up between two barriers. */
const foldedRows = 8;

const bytesOfChannel = ({ dtype }: NormLayout): number => (dtype === "f16" ? 2 : 4);

/** Rows of lanes of a block: a power of two, not more than there are pixels. */
function rowsOf(pixels: number, width: number, lanes: number): number {
  const wanted = Math.min(lanes, Math.max(fewLanes, Math.ceil((pixels * width) / wantedPixels)));
  return 2 ** Math.floor(Math.log2(Math.min(pixels, Math.max(1, wanted / width))));
}

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
  /** Blocks one below the other in an image. */
  readonly slabs: number;
  /** Pixels of a block. */
  readonly #slab: number;
  /** Columns of a block. */
  readonly #width: number;
  readonly #rows: number;

  /**
   * @param channels of a block
   * @param lanes that a workgroup may have
   * @param slab pixels of a block, all of them unless given
   */
  constructor(layout: NormLayout, channels: number, lanes: number, slab = layout.pixels) {
    this.layout = layout;
    this.stored = `vec4<${layout.dtype}>`;
    this.members = layout.channels / layout.groups;
    this.columns = layout.channels / 4;
    this.rowBytes = channels * bytesOfChannel(layout);
    this.moved = slab * Math.max(this.rowBytes, sectorBytes);
    this.slabs = Math.ceil(layout.pixels / slab);
    this.workgroups = layout.images * this.slabs * (layout.channels / channels);
    this.#slab = slab;
    this.#width = channels / 4;
    this.#rows = rowsOf(slab, this.#width, lanes);
    this.perLane = Math.ceil(slab / this.#rows);
  }

  /** This lane's channels of an array per image and group: see {@link perGroup}. */
  perGroup(name: string, image = "image"): string {
    return perGroup(this.layout, 4, name, 1, 0, image);
  }

  /** `body` for every `rows`th slab of the image: its number `s`, its number among those of all images `place`, its pixels `n`. */
  overSlabs(body: string): string {
    return /* wgsl */ `
  for (var s = row; s < slabs; s += ${this.#rows}u) {
    let place = image * slabs + s;
    let n = f32(min(${this.#slab}u, params.pixels - s * ${this.#slab}u));
${body}
  }`;
  }

  /**
   * A vector for each pixel of a lane, in variables of its own where there are at most `most` of them, so that no compiler need
   * unroll a loop to keep them in registers; recomputed otherwise. `expression` sees `at` and what `pixel` ends the names of.
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
    // Only the last one may lie past the end, unless the last slab is smaller than the others.
    const mayEnd = (k: number) => k === this.perLane - 1 || this.slabs > 1;
    const pixel = (k: number) => /* wgsl */ `
  ${mayEnd(k) ? `if (first + ${k * step}u < end) ` : ""}{
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
   * One workgroup for each block: `body` sees `image`, `slab` of `slabs`, the block's `count` of pixels, the lane's `row`, its `column`
   * and the place `own` of that in the block, the places `first` and `end` of the lane's first pixel and of the block's end, and
   * `isFirst`, which holds for one lane of a column.
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
    const slabs = this.slabs > 1 ? `((params.pixels + ${this.#slab - 1}u) / ${this.#slab}u)` : "1u";
    const below = this.slabs > 1 ? `slab * ${this.#slab}u` : "0u";
    const count = this.slabs > 1 ? `min(${this.#slab}u, params.pixels - ${below})` : "params.pixels";
    const prologue = /* wgsl */ `
  let slabs = ${slabs};
  let slab = item / ${blocks}u % slabs;
  let image = item / ${blocks}u / slabs;
  let count = ${count};
  let row = lane / ${this.#width}u;
  let own = lane % ${this.#width}u;
  let isFirst = row == 0u;
  let column = item % ${blocks}u * ${this.#width}u + own;
  let begin = (image * params.pixels + ${below}) * ${columns}u + column;
  let first = begin + row * ${columns}u;
  let end = begin + count * ${columns}u;
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
        perWorkgroup(lanes, `params.images * ${slabs} * ${blocks}u`, prologue + body),
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
