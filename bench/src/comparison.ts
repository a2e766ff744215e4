/** How two result files differ, in lines of text. */
import { type CaseResult, ceilingLine, type Results } from "./results.ts";

/** One figure that can be compared, in its own unit; less is better. */
interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The name that other libraries know it by, which have no variants. */
  readonly plainName?: string | undefined;
  readonly parameters?: number | undefined;
}

const figureOf = ({ name, ms, case: plainName, parameters }: CaseResult): Figure => ({
  name,
  value: ms,
  unit: "ms",
  plainName,
  parameters,
});

const figuresOf = ({ cases, engine }: Results): Figure[] => [
  ...cases.map(figureOf),
  ...(engine ?? []).map(({ name, microseconds }) => ({ name, value: microseconds, unit: "µs" })),
];

/** The fastest variant of each kernel's case, by the case's name. */
function fastestVariants(figures: readonly Figure[]): Map<string, Figure> {
  const fastest = new Map<string, Figure>();
  for (const figure of figures) {
    const { plainName, value } = figure;
    if (plainName === undefined) continue;
    if (value < (fastest.get(plainName)?.value ?? Number.POSITIVE_INFINITY)) fastest.set(plainName, figure);
  }
  return fastest;
}

const width = 84;

/**
 * The lines of the comparison. A ratio above 1 means that the second file is faster. Where one file has variants of a kernel
 * and the other only the case, the case stands beside the fastest variant, or beside each of the second file's.
 *
 * @throws Error where a name stands for networks of different sizes
 */
export function compareResults(before: Results, after: Results): string[] {
  const lines: string[] = [];
  if (before.adapter !== after.adapter) {
    lines.push(`The adapters differ: "${before.adapter}" and "${after.adapter}".`, "");
  }
  for (const [when, { ceilings }] of Object.entries({ before, after })) {
    if (ceilings) lines.push(`${when.padEnd(6)} ${ceilingLine(ceilings)}`);
  }
  lines.push("", `${"".padEnd(width)}     before       after   before/after`);
  const [olds, news] = [figuresOf(before), figuresOf(after)];
  const old = new Map(olds.map((figure) => [figure.name, figure]));
  const fastest = fastestVariants(olds);
  const met = new Set<string>();
  const added: string[] = [];
  let sum = 0;
  let count = 0;
  for (const figure of news) {
    const { name, value, unit, plainName = "" } = figure;
    const earlier = old.get(name) ?? fastest.get(name) ?? old.get(plainName);
    if (!earlier) {
      added.push(name);
      continue;
    }
    checkParameters(earlier, figure);
    met.add(earlier.name);
    const ratio = earlier.value / value;
    sum += Math.log(ratio);
    count++;
    const columns = [earlier.value, value].map((number) => `${number.toPrecision(4)} ${unit}`.padStart(11));
    lines.push(`${name.padEnd(width)} ${columns.join(" ")} ${ratio.toFixed(2).padStart(14)}`);
  }
  if (count) lines.push("", `geometric mean of ${count} ratios: ${Math.exp(sum / count).toFixed(3)}`);
  const missing = [...old.keys()].filter((name) => !met.has(name));
  if (missing.length) lines.push(`only before: ${missing.join(", ")}`);
  if (added.length) lines.push(`only after: ${added.join(", ")}`);
  return lines;
}

function checkParameters({ parameters: before }: Figure, { name, parameters: after }: Figure): void {
  if (before === undefined || after === undefined || before === after) return;
  throw new Error(
    `${name}: the network has ${before} parameters in the first file, but ${after} in the second; ` +
      "these are two networks, so their times cannot be compared.",
  );
}
