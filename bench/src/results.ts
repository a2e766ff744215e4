/** The results as printed and written, for every part of the benchmark. */
import { type Ceilings, leastMilliseconds, type Work } from "./ceilings.ts";
import type { Timing } from "./measure.ts";

/** One line of the table. The first four keys are read by external scripts. */
export interface CaseResult {
  readonly name: string;
  /** Fastest sample. */
  readonly ms: number;
  /** From `ms` and the kernel's cost, each operand moved once; 0 where the cost is not known. */
  readonly gflops: number;
  readonly gbps: number;
  readonly medianMs: number;
  /** Time at the ceiling of the arithmetic or of the memory, whichever is the longer, as a percentage of `ms`. */
  readonly percent: number;
  /** Further facts, such as against what a variant was checked. */
  readonly note: string;
  /** Kernels: the name without the variant, which is what other libraries can be compared by. */
  readonly case?: string;
  /** Networks: numbers that are learnt. */
  readonly parameters?: number;
  /** Layers: dispatches of one call, and the host's time to encode and submit one of them. */
  readonly dispatches?: number;
  readonly replayMicroseconds?: number;
}

/** A figure of the engine that is no time of the GPU. */
export interface EngineResult {
  readonly name: string;
  /** Fastest sample. */
  readonly microseconds: number;
  readonly medianMicroseconds: number;
  readonly note: string;
}

export interface Results {
  readonly adapter: string;
  /** Null in results of other libraries. */
  readonly ceilings: Ceilings | null;
  readonly cases: readonly CaseResult[];
  readonly engine: readonly EngineResult[];
}

/** A case from its time and its work. */
export function caseResult(
  name: string,
  { minimum, median }: Timing,
  work: Work,
  ceilings: Ceilings,
  note: string,
): CaseResult {
  const gflops = work.flops / minimum / 1e6;
  const gbps = work.bytes / minimum / 1e6;
  const percent = (100 * leastMilliseconds(work, ceilings)) / minimum;
  return { name, ms: minimum, gflops, gbps, medianMs: median, percent, note };
}

const nameWidth = 84;
const column = (text: string): string => text.padStart(9);
/** Four significant digits without an exponent. */
const digits = (value: number): string =>
  value === 0 ? "–" : value.toFixed(Math.max(0, Math.min(4, 3 - Math.floor(Math.log10(Math.abs(value))))));

export const caseHead = [
  "".padEnd(nameWidth),
  ...["ms", "median", "GFLOP/s", "GB/s", "ceiling"].map(column),
].join(" ");

export const caseLine = ({ name, ms, medianMs, gflops, gbps, percent, note }: CaseResult): string =>
  [
    name.padEnd(nameWidth),
    ...[digits(ms), digits(medianMs), digits(gflops), digits(gbps)].map(column),
    column(percent ? `${percent.toFixed(0)} %` : "–"),
    ` ${note}`,
  ].join(" ");

export const engineHead = ["".padEnd(nameWidth), ...["µs", "median"].map(column)].join(" ");

export const engineLine = ({ name, microseconds, medianMicroseconds, note }: EngineResult): string =>
  [name.padEnd(nameWidth), column(digits(microseconds)), column(digits(medianMicroseconds)), ` ${note}`].join(
    " ",
  );

export function ceilingLine(ceilings: Ceilings): string {
  const { copyGbps, multiplyAddGflops, multiplyAddF16Gflops, subgroupMatrixGflops } = ceilings;
  const rate = (name: string, gflops: number | undefined): string[] =>
    gflops === undefined ? [] : [`${name} ${digits(gflops)} GFLOP/s`];
  return [
    `ceilings: copy ${digits(copyGbps)} GB/s`,
    ...rate("multiply-add", multiplyAddGflops),
    ...rate("multiply-add f16", multiplyAddF16Gflops),
    ...rate("subgroup matrix", subgroupMatrixGflops),
    `an empty dispatch ${digits(ceilings.dispatchMicroseconds)} µs`,
  ].join(", ");
}
