/**
 * Which taps meet which pixels where windows are a stride apart. Pixel h meets tap k at output (h + before − k·dilation) / stride,
 * where that is whole: pixels with the same remainder by the stride, a phase, meet the same taps.
 */
import { uniform } from "../uniform.ts";
import { type Geometry, numbersOf } from "./geometry.ts";

/** One axis. Phase p is met by the taps first, first + tapStep, …; a later tap lies `outStep` outputs earlier. */
export interface Phases {
  readonly tapStep: number;
  readonly outStep: number;
  /** By phase: its first tap, how many there are, and the output at which that tap meets pixel p of the image. */
  readonly table: readonly (readonly [first: number, taps: number, shift: number])[];
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));

function phasesAlong(kernel: number, stride: number, dilation: number, before: number): Phases {
  const common = commonDivisor(stride, dilation);
  const tapStep = stride / common;
  const table = Array.from({ length: stride }, (_, phase) => {
    // Taps repeat their remainders after tapStep of them; a remainder that none has meets no tap.
    for (let first = 0; first < Math.min(tapStep, kernel); first++) {
      const distance = phase + before - first * dilation;
      if (distance % stride === 0)
        return [first, Math.ceil((kernel - first) / tapStep), distance / stride] as const;
    }
    return [0, 0, 0] as const;
  });
  return { tapStep, outStep: dilation / common, table };
}

/** The phases along the height and along the width. */
export const phasesOf = (g: Geometry): readonly [vertical: Phases, horizontal: Phases] => [
  phasesAlong(g.kernelHeight, g.stride[0], g.dilation[0], g.top),
  phasesAlong(g.kernelWidth, g.stride[1], g.dilation[1], g.left),
];

const tableCode = (axis: string, { table }: Phases): string =>
  ["first", "taps", "shift"]
    .map(
      (what, column) =>
        // A first output before the image wraps to a huge one, as the sums that it is part of do.
        `const ${what}${axis} = array<u32, ${table.length}>(${table.map((row) => `${row[column]! >>> 0}u`).join(", ")});`,
    )
    .join("\n");

/**
 * WGSL of `struct Slice` and `sliceOf` of the input gradient's product: a slice for each phase and group, groups innermost.
 *
 * @param quads of k of the phase with the most taps
 */
export function sliceCode(
  g: Geometry,
  [vertical, horizontal]: readonly [Phases, Phases],
  quads: number,
  channelQuads: string,
): string {
  const [sh, sw] = g.stride;
  const n = numbersOf(g);
  const grouped = g.groups > 1;
  const group = grouped ? `, index % ${n.groups}` : "";
  const phase = grouped ? `(index / ${n.groups})` : "index";
  const perTap = g.groupOut === 0 ? "0u" : channelQuads;
  const struct = `// Taps of the phase: firstH, firstH + a step, …; the pixel a·stride + phaseH meets the i-th of them at output a + shiftH − i·(a step).
struct Slice { quads: u32, tapsW: u32, firstH: u32, firstW: u32, shiftH: u32, shiftW: u32, phaseH: u32, phaseW: u32${grouped ? ", group: u32" : ""} }`;
  if (sh * sw === 1) {
    return `${struct}
fn sliceOf(index: u32) -> Slice {
  return Slice(${uniform("quads", quads)}, ${n.kernelWidth}, 0u, 0u, ${n.top}, ${n.left}, 0u, 0u${group});
}`;
  }
  return `${struct}
${tableCode("H", vertical)}
${tableCode("W", horizontal)}
fn sliceOf(index: u32) -> Slice {
  let h = ${phase} / ${n.strideWidth};
  let w = ${phase} % ${n.strideWidth};
  let taps = tapsW[w];
  return Slice(tapsH[h] * taps * ${perTap}, taps, firstH[h], firstW[w], shiftH[h], shiftW[w], h, w${group});
}`;
}
