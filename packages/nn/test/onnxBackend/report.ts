/** Outcomes as the page docs/onnx-tests.md. */
import type { Outcome, Verdict } from "./outcome.ts";

const columns = ["one", "several", "wrong", "refused", "notExpressible", "notApplicable"] as const;

const titles: Readonly<Record<Verdict, string>> = {
  one: "one op",
  several: "several ops",
  wrong: "wrong",
  refused: "refused",
  notExpressible: "not expressible",
  notApplicable: "not applicable",
};

/** How many outcomes have each verdict. */
export function countVerdicts(outcomes: readonly Outcome[]): Record<Verdict, number> {
  const counts = Object.fromEntries(columns.map((verdict) => [verdict, 0])) as Record<Verdict, number>;
  for (const { verdict } of outcomes) counts[verdict]++;
  return counts;
}

/** Items in groups, ordered by their keys. */
export function groupBy<T>(list: readonly T[], key: (item: T) => string): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const item of list) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
}

const row = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;

/** Names of models without their suite's usual prefix. */
const short = (name: string): string => name.replace(/^node\/test_/, "").replace("/test_", "/");

function exceptions(outcomes: readonly Outcome[], kind: Verdict): string[] {
  const of = outcomes.filter(({ verdict }) => verdict === kind);
  return groupBy(of, ({ reason }) => reason).map(
    ([reason, models]) =>
      `* ${reason.split("\n")[0]} (${models.length}): ${models.map(({ name }) => short(name)).join(", ")}`,
  );
}

const cells = (counts: Record<Verdict, number>): (string | number)[] =>
  columns.map((verdict) => counts[verdict] || "");

/** One operator's line of the table. */
export const operatorRow = (operator: string, group: readonly Outcome[]): string =>
  row([operator, ...cells(countVerdicts(group))]);

/** What is wrong or refused, where there is any. */
function section(outcomes: readonly Outcome[], verdict: Verdict): string[] {
  const lines = exceptions(outcomes, verdict);
  return lines.length ? ["", `## ${titles[verdict]}`, "", ...lines] : [];
}

/** The whole page, of outcomes that are ordered by name. */
export function writeReport(outcomes: readonly Outcome[]): string {
  const total = countVerdicts(outcomes);
  return `${[
    "# ONNX's backend tests",
    "",
    "`npm run test:onnx` runs the models of ONNX 1.12 that Debian's package `libonnx-testdata` holds (node, pytorch-converted,",
    "pytorch-operator, simple) on the public API of `@ddad/nn`. The operators stand in `packages/nn/test/onnxBackend/operators`.",
    "This page is written by `npm run test:onnx -- --update`; the test compares it with what it finds.",
    "",
    "* **one op**: every node takes at most one call of a public operation, besides layout (`permute`, `reshape`), `cast` and constants.",
    "  The calls are counted; the same operation for each operand (a sum of three) or each parameter of an optimiser counts once.",
    "  Weights of recurrent layers are brought into the library's layout beforehand.",
    "* **several ops**: right, but some node is composed of several operations.",
    "* **wrong**, **refused**: other numbers (beyond ONNX's own 1e-3 relative and 1e-7 absolute), or an error.",
    "* **not expressible**: the library has no answer. **not applicable**: no matter of a tensor library.",
    "",
    "f64 is computed in f32, what is beyond it is infinite; integers have 32 bits. `npm run test:onnx -- --grad` compares derivatives,",
    "too: in a random direction with the central difference of the f64 references.",
    "",
    `Of ${outcomes.length} models ${total.one + total.several} pass: ${total.one} by one op, ${total.several} by several. ` +
      `${total.wrong} are wrong, ${total.refused} refused, ${total.notExpressible} not expressible, ${total.notApplicable} not applicable.`,
    "",
    row(["operator", ...columns.map((verdict) => titles[verdict])]),
    row(["---", ...columns.map(() => "--:")]),
    ...groupBy(outcomes, ({ operator }) => operator).map(([operator, group]) => operatorRow(operator, group)),
    row(["**all**", ...cells(total)]),
    ...["wrong", "refused"].flatMap((verdict) => section(outcomes, verdict as Verdict)),
    "",
    "## Not expressible",
    "",
    ...exceptions(outcomes, "notExpressible"),
    "",
    "## Not applicable",
    "",
    ...exceptions(outcomes, "notApplicable"),
  ].join("\n")}\n`;
}
