/**
 * Group norm on a GPU in one dispatch: a workgroup owns a block of an image's channels, whole groups of them, and keeps all its pixels,
 * so that x is read once. Lanes are columns of four channels × rows of pixels, so that neighbouring lanes read neighbouring memory.
 *
 * Counted in plans for a GPU (`bench/dist/dispatches.js`): with it a call of DDAD-S at 64² has 302 dispatches, without it 446, and a
 * training step of 16 images 1653 and 1941; at 256² 456 and 602, 2379 and 2671. Measured: the host spends 2.8 µs on a dispatch
 * (`npm run bench -- --engine`). Not yet timed on a GPU: neither this nor the passes over slabs that it replaces.
 */
import { type Capabilities, grid, type Pass } from "../kernel.ts";
import { perWorkgroup } from "../reduce/workgroup.ts";
import { uniform } from "../uniform.ts";
import { type Activation, activateFunction, siluDerivativeFunction } from "./activation.ts";
import { loadGroups, storeGroups, wholeBlocks } from "./blocks.ts";
import { gradientBindings, type ImageSums } from "./passes.ts";
import type { NormLayout } from "./slabs.ts";

const mostLanes = 1024;
/** Bytes of workgroup memory for each lane: two vectors. */
const laneBytes = 32;
/** Workgroups are not made smaller than this to give each lane more pixels. An estimate. */
const fewLanes = 256;
/** Pixels of a lane that leave it enough loads to wait for at once. An estimate. */
const wantedPixels = 4;
/** Pixels of a lane that it can keep: 128 bytes, half of the registers that each of 1024 lanes has on most GPUs. An estimate. */
const mostPixels = 8;
/** Bytes that memory moves at once: narrower rows of a block cost as much. */
const sectorBytes = 32;
/** Rows that are added up between two barriers. */
const foldedRows = 8;

const powerAbove = (n: number): number => 2 ** Math.ceil(Math.log2(n));
const powerBelow = (n: number): number => 2 ** Math.floor(Math.log2(n));

/**
 * The narrowest blocks whose rows fill a sector, or the widest that a workgroup can keep. Undefined where it can keep none, and on software
 * adapters, where barriers are expensive.
 */
export function workgroupBlocksOf(caps: Capabilities, layout: NormLayout): WorkgroupBlocks | undefined {
  if (caps.adapterClass === "software") return undefined;
  const lanes = powerBelow(Math.min(mostLanes, caps.maxInvocations, caps.workgroupMemory / laneBytes));
  const possible = wholeBlocks(layout, 4 * lanes)
    .map((channels) => new WorkgroupBlocks(layout, channels, lanes))
    .filter(({ perLane }) => perLane <= mostPixels);
  return possible.find(({ rowBytes }) => rowBytes >= sectorBytes) ?? possible.at(-1);
}

/** How the pass of one call shares the work. */
export class WorkgroupBlocks {
  readonly layout: NormLayout;
  /** WGSL type of four channels as they are stored. */
  readonly stored: string;
  /** Neighbouring bytes of a block. */
  readonly rowBytes: number;
  /** Pixels that a lane takes at most, a power of two, because each is written out. */
  readonly perLane: number;
  /** Columns of four channels in a pixel, as WGSL. */
  readonly columns: string;
  /** Elements that a sum over a group has, as WGSL. */
  readonly values: string;
  readonly lanes: number;
  /** Columns of a block. */
  readonly #width: number;
  readonly #rows: number;

  /**
   * @param channels of a block
   * @param most lanes that a workgroup may have
   */
  constructor(layout: NormLayout, channels: number, most: number) {
    this.layout = layout;
    this.stored = `vec4<${layout.dtype}>`;
    this.rowBytes = channels * (layout.dtype === "f16" ? 2 : 4);
    this.#width = channels / 4;
    const wanted = powerAbove((layout.pixels * this.#width) / wantedPixels);
    this.lanes = Math.min(most, Math.max(fewLanes, wanted));
    this.#rows = powerBelow(Math.min(layout.pixels, this.lanes / this.#width));
    this.perLane = powerAbove(layout.pixels / this.#rows);
    this.columns = uniform("columns", layout.channels / 4);
    this.values = `f32(params.pixels * ${uniform("members", layout.channels / layout.groups)})`;
  }

  /** A variable for each pixel of a lane, so that no compiler need unroll a loop to keep them in registers. */
  keep(name: string): string {
    return Array.from({ length: this.perLane }, (_, pixel) => `  var ${name}${pixel} = vec4f();`).join("\n");
  }

  /** `body` for each pixel of a lane, with its place `at`. @param body sees the number that ends the names of {@link keep} */
  overPixels(body: (pixel: number) => string): string {
    const one = (pixel: number) => /* wgsl */ `
  if (first + ${pixel}u * step < end) {
    let at = first + ${pixel}u * step;
    ${body(pixel)}
  }`;
    return Array.from({ length: this.perLane }, (_, pixel) => one(pixel)).join("");
  }

  /**
   * Adds up the lanes' values over the pixels: then `totals[own]` is the first one's sum of this lane's column, and `ofGroup(own)`
   * has those of its channels' groups. Sums of a second value stand `lanes` places behind.
   */
  addUp(...values: readonly string[]): string {
    const each = (text: (offset: string, value: string) => string) =>
      values.map((value, index) => text(index ? ` + ${this.lanes}u` : "", value)).join("\n    ");
    // The first barrier waits for lanes that still read the sums before.
    return /* wgsl */ `
  workgroupBarrier();
    ${each((offset, value) => `totals[lane${offset}] = ${value};`)}
  workgroupBarrier();
  for (var left = ${uniform("rows", this.#rows)}; left > 1u;) {
    let folded = min(${foldedRows}u, left);
    left /= folded;
    for (var k = 1u; k < folded && lane < left * width; k++) {
      let other = lane + k * left * width;
      ${each((offset) => `totals[lane${offset}] += totals[other${offset}];`)}
    }
    workgroupBarrier();
  }`;
  }

  /**
   * One workgroup for each block: `body` sees `image`, the lane's `column` and the place `own` of that in the block, the places `first`
   * and `end` of the lane's first pixel and of the image's end, the `step` to the next, and `isFirst`, which holds for one lane of a column.
   */
  pass(bindings: Pick<Pass, "label" | "read" | "write" | "tensors">, functions: string, body: string): Pass {
    const { images, channels, groups } = this.layout;
    const blocks = channels / 4 / this.#width;
    const count = uniform("blocks", blocks);
    const members = uniform("members", channels / groups);
    const rows = uniform("rows", this.#rows);
    const prologue = /* wgsl */ `
  let image = item / ${count};
  let width = ${uniform("width", this.#width)};
  let row = lane / width;
  let own = lane % width;
  let isFirst = row == 0u;
  let column = item % ${count} * width + own;
  let step = ${rows} * ${this.columns};
  let end = (image + 1u) * params.pixels * ${this.columns};
  let first = select(end, (image * params.pixels + row) * ${this.columns} + column, row < ${rows});
`;
    const shared = /* wgsl */ `
var<workgroup> totals: array<vec4f, ${2 * this.lanes}>;
fn ofGroup(place: u32) -> vec4f {
  let own = place % ${this.lanes}u;
  let start = place - own;
  var sum = vec4f();
  if (${members} % 4u == 0u) {
    let begin = place - own % (${members} / 4u);
    for (var c = begin; c < begin + ${members} / 4u; c++) { sum += totals[c]; }
    return vec4f((sum.x + sum.y) + (sum.z + sum.w));
  }
  for (var i = 0u; i < 4u; i++) {
    let begin = (own * 4u + i) / ${members} * ${members};
    for (var c = begin; c < begin + ${members}; c++) { sum[i] += totals[start + c / 4u][c % 4u]; }
  }
  return sum;
}
`;
    return {
      ...bindings,
      workgroups: grid(images * blocks),
      code: functions + shared + perWorkgroup(this.lanes, `params.images * ${count}`, prologue + body),
    };
  }
}

/**
 * x → y, mean and rstd. The first sum gives a mean that is `near` enough; that of the offsets from it gives what it lacks, and corrects
 * the sum of their squares: n · variance = Σ o² − (Σ o)² / n, of which the second term is next to nothing (Chan, Golub and LeVeque
 * 1983, "Algorithms for computing the sample variance").
 */
export function forwardWorkgroupPass(blocks: WorkgroupBlocks, activation: Activation): Pass {
  const { stored, values, layout, lanes } = blocks;
  const body = /* wgsl */ `
${blocks.keep("value")}
  var sum = vec4f();
${blocks.overPixels((pixel) => `value${pixel} = vec4f(x[at]);\n    sum += value${pixel};`)}
${blocks.addUp("sum")}
  let near = ofGroup(own) / ${values};
  sum = vec4f();
  var squares = vec4f();
${blocks.overPixels(
  (pixel) => /* wgsl */ `let offset = value${pixel} - near;
    sum += offset;
    squares += offset * offset;`,
)}
${blocks.addUp("sum", "squares")}
  let rest = ofGroup(own) / ${values};
  let middle = near + rest;
  let spread = vec4f(1.0) / sqrt(max(ofGroup(own + ${lanes}u) / ${values} - rest * rest, vec4f()) + params.epsilon);
  if (isFirst) {
    ${storeGroups(layout, { mean: "middle", rstd: "spread" })}
  }
  let scale = spread * weight[column];
  let shift = bias[column];
${blocks.overPixels((pixel) => `y[at] = ${stored}(activate((value${pixel} - middle) * scale + shift));`)}`;
  const bindings = {
    read: { x: stored, weight: "vec4<f32>", bias: "vec4<f32>" },
    write: { y: stored, mean: "f32", rstd: "f32" },
  };
  return blocks.pass(bindings, activateFunction(activation, "vec4<f32>"), body);
}

/**
 * The gradient of x, and in `sums` each image's contribution to those of weight and bias. Formula: see `gradientPasses`. What is kept is
 * the gradient at z; x is read again, because both would be more than lanes have registers for.
 */
export function gradientWorkgroupPass(
  blocks: WorkgroupBlocks,
  activation: Activation,
  sums: ImageSums,
): Pass {
  const { stored, values, columns, layout, lanes } = blocks;
  const silu = activation === "silu";
  const normal = "let normal = (vec4f(x[at]) - centre) * scale;";
  const body = /* wgsl */ `
${loadGroups(layout, { centre: "mean", scale: "rstd" })}
  let factor = weight[column];${silu ? "\n  let shift = bias[column];" : ""}
${blocks.keep("dz")}
  var biasSum = vec4f();
  var weightSum = vec4f();
${blocks.overPixels(
  (pixel) => /* wgsl */ `${normal}
    dz${pixel} = ${silu ? "derivative(normal * factor + shift) * " : ""}vec4f(gradient[at]);
    biasSum += dz${pixel};
    weightSum += dz${pixel} * normal;`,
)}
${blocks.addUp("biasSum", "weightSum")}
  if (isFirst) {
    let place = image * ${columns} + column;
    biasSums[place] = totals[own];
    weightSums[place] = totals[own + ${lanes}u];
    totals[own] *= factor;
    totals[own + ${lanes}u] *= factor;
  }
  workgroupBarrier();
  let plain = ofGroup(own) / ${values};
  let slope = ofGroup(own + ${lanes}u) / ${values};
${blocks.overPixels(
  (pixel) => /* wgsl */ `${normal}
    xGradient[at] = ${stored}(scale * (factor * dz${pixel} - plain - normal * slope));`,
)}`;
  const bindings = { label: "gradient", ...gradientBindings(stored, silu, sums) };
  return blocks.pass(bindings, silu ? siluDerivativeFunction("vec4<f32>") : "", body);
}
