/** `ddad import`. */
import { type ImportReport, importCheckpoint, some } from "@ddad/node/internal";
import { askedBy, type ConfigOptions } from "./settings.ts";
import { printResult, say } from "./terminal.ts";

export type ImportOptions = ConfigOptions & {
  readonly out: string;
  /** `unet`, or a name of torchvision's. */
  readonly kind?: string;
  readonly entry?: string;
  /** File of a feature extractor to store with a UNet. */
  readonly extractor?: string;
  readonly json?: boolean;
};

export async function runImport(file: string, options: ImportOptions): Promise<void> {
  const { out, kind, entry, extractor } = options;
  const result = await importCheckpoint(file, out, {
    ...{ kind, entry, extractor, asked: askedBy(options) },
    onReport: (report) => say(describeImport(report)),
  });
  const kinds = [result, ...(result.extractor ? [result.extractor] : [])].map(
    (report) => `${report.kind}, ${report.matched} tensors`,
  );
  printResult(options.json, result, `wrote ${out}: ${kinds.join("; ")}`);
}

/** Names come from files: control characters must not reach a terminal, nor do long texts help there. */
const visible = (text: string): string =>
  text.slice(0, 300).replace(/\p{C}/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);

/** The protocol that a model has, and how to choose the other. */
const protocolChoice = {
  strict: "strict; --set protocol=paper samples and scores as the published code does",
  paper: "paper, as the published code; --set protocol=strict takes the default of the other commands",
};

function describeImport(report: ImportReport): string {
  const {
    format,
    entry,
    prefix,
    kind,
    found,
    matched,
    parameters,
    skipped,
    missing,
    leftOut,
    opaque,
    protocol,
    assumed,
  } = report;
  const where = [format, ...(entry ? [`entry ${entry}`] : []), ...(prefix ? [`prefix ${prefix}`] : [])];
  const rows: [string, number | string, string][] = [
    ["found", found, where.join(", ")],
    ["matched", matched, `${kind}, ${parameters} values`],
    ["skipped", skipped.length, some(skipped)],
    ["missing", missing.length, some(missing)],
    ...leftOut.map(({ path, tensors }): [string, number, string] => ["left out", tensors, path]),
    ...(opaque.length > 0
      ? [
          ["opaque", opaque.length, some(opaque.map(({ path, type }) => `${path} (${type})`))] as [
            string,
            number,
            string,
          ],
        ]
      : []),
    ...(protocol === undefined
      ? []
      : [["protocol", "", protocolChoice[protocol]] as [string, string, string]]),
    ...(assumed.length > 0 ? [["assumed", "", assumed.join(", ")] as [string, string, string]] : []),
  ];
  return rows
    .map(([what, count, which]) =>
      `${what.padEnd(9)} ${String(count).padStart(6)}  ${visible(which)}`.trimEnd(),
    )
    .join("\n");
}
