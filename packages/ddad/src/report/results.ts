/** Results of an evaluation, and tables of them. */
import type { Protocol } from "../config/schema.ts";
import type { ImageIntervals, Interval } from "../metrics/bootstrap.ts";
import type { Presorting } from "../metrics/presorting.ts";
import type { Decisions } from "./decisions.ts";
import type { ProtocolBlock } from "./protocol.ts";

/** What `ddad evaluate --json` prints. Metrics are in [0, 1]. */
export type EvaluationResult = {
  protocol: Protocol;
  dataset: string;
  category: string;
  /** Test images. */
  images: number;
  image: { auroc: number; ap: number; f1Max: number };
  /** Absent from data without ground truth. */
  pixel?: PixelScores;
  /** Image score from which on an image is called defective. */
  threshold: number;
  msPerImage: { p50: number; p95: number };
  /** The exact values of what `pixel` holds in a published version; absent where `pixel` is exact. */
  exact?: ExactPixels;
  /** How far the metrics would move had other images been drawn. */
  intervals: ResultIntervals;
  /** Kinds of defect, in the order of the test set. */
  kinds: KindResult[];
  /** What the threshold decided; absent from files of version 0.1. */
  decisions?: Decisions;
  /** What thresholds chosen on the test set would give; absent from files of version 0.1. */
  presorting?: Presorting;
  /** The same metrics of scores without a network; absent from files of earlier versions. */
  controls?: ControlResult[];
  /** How all of this was made. */
  protocolBlock: ProtocolBlock;
};

/** `protocolBlock.metrics` says which version of each this is. */
export type PixelScores = { auroc: number; ap: number; aupro30: number; aupro05: number };

/** Exact values beside published versions, in [0, 1]. */
export type ExactPixels = { aupro30: number };

/** Bootstrap intervals, `[low, high]`, all of exact metrics. */
export type ResultIntervals = {
  /** Fraction of the resamples that an interval covers. */
  level: number;
  image: ImageIntervals;
  /**
   * Absent without ground truth, and where a resample has no defective pixel. AUPRO up to 0.3 is that of `exact` where
   * there is one.
   */
  pixel?: { auroc: Interval; aupro30: Interval; aupro05: Interval };
};

/** What a score without a network reaches on the same images, by the same metrics. */
export type ControlResult = {
  /** `brightness`, `blur residual`, `mean image` or `nearest good image`. */
  readonly name: string;
  readonly image: { readonly auroc: number; readonly ap: number };
  /** Absent without ground truth, and from controls that make no map. */
  readonly pixel?: PixelScores;
  /** As in the result. */
  readonly exact?: ExactPixels;
  /** Bootstrap intervals of the level that the result names. */
  readonly intervals?: { readonly image: Pick<ImageIntervals, "auroc" | "ap"> };
  /** Of brightness alone: which images it calls defective. The direction with the larger AUROC on the test set is taken. */
  readonly direction?: "brighter" | "darker";
};

/** How well one kind of defect is separated from good images. */
export type KindResult = {
  readonly kind: string;
  readonly images: number;
  /** Of the images of this kind and all good ones. */
  readonly auroc: number;
  /** Fraction of them at or above the threshold. */
  readonly detected: number;
  /** Of the pixels of the same images, AUPRO exact by any protocol; absent without ground truth. */
  readonly pixel?: { readonly auroc: number; readonly aupro30: number };
};

/** Plain text with aligned columns, or a Markdown table. */
export type TableStyle = "text" | "markdown";

/**
 * Text of files, folders or settings for Markdown: nothing in it is markup or HTML there, and it stays in its line and cell.
 */
export const markdownText = (text: string): string =>
  text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replace(/[\\`*[\]|~]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, "\\$&");

/** Text of several lines as a block of code in Markdown, which nothing in the text can end. @param language such as `json` */
export function fencedText(text: string, language: string): string {
  const runs = text.match(/`+/g) ?? [];
  const fence = "`".repeat(Math.max(3, ...runs.map(({ length }) => length + 1)));
  return `${fence}${language}\n${text}\n${fence}`;
}

/** Text as it stands in a table of a style. */
export const styledText = (text: string, style: TableStyle): string =>
  style === "markdown" ? markdownText(text) : text;

/** A table; the first column is set left, the others right. Rows shorter than the header end in empty cells. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  style: TableStyle = "text",
): string {
  if (style === "markdown") {
    const escaped = rows.map((row) => row.map(markdownText));
    return aligned(header.map(markdownText), escaped, style);
  }
  return aligned(header, rows, style);
}

/**
 * A table for a terminal so many columns wide: one, or where it would be wider several below each other, each with the first column.
 *
 * @param groups how many columns stay together, from the second one on
 */
export function formatWideTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  groups: readonly number[],
  width: number,
): string {
  const widthOf = (column: number): number =>
    Math.max(...[header, ...rows].map((cells) => cells[column]?.length ?? 0));
  const tables: number[][] = [[]];
  let used = widthOf(0);
  let next = 1;
  for (const count of groups) {
    const group = Array.from({ length: count }, () => next++);
    const wide = group.reduce((sum, column) => sum + 2 + widthOf(column), 0);
    if (used + wide > width && tables.at(-1)!.length > 0) {
      tables.push([]);
      used = widthOf(0);
    }
    tables.at(-1)!.push(...group);
    used += wide;
  }
  const cut = (cells: readonly string[], columns: readonly number[]): string[] =>
    [0, ...columns].map((column) => cells[column] ?? "");
  return tables
    .map((columns) =>
      formatTable(
        cut(header, columns),
        rows.map((row) => cut(row, columns)),
      ),
    )
    .join("\n\n");
}

function aligned(header: readonly string[], rows: readonly (readonly string[])[], style: TableStyle): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0), style === "markdown" ? 3 : 0),
  );
  const align = (cells: readonly string[]): string[] =>
    widths.map((width, column) => {
      const cell = cells[column] ?? "";
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
  if (style === "text") {
    const rule = widths.map((width) => "─".repeat(width));
    return [align(header), rule, ...rows.map(align)].map((cells) => cells.join("  ").trimEnd()).join("\n");
  }
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  return [align(header), rule, ...rows.map(align)].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** What a table shows of a result. */
export type ResultRow = Pick<
  EvaluationResult,
  "category" | "protocol" | "images" | "image" | "pixel" | "msPerImage" | "controls"
>;

/** What the columns of a table read, of a model or a control. */
type MeasuredRow = {
  readonly image: { readonly auroc: number; readonly ap: number; readonly f1Max?: number };
  readonly pixel?: PixelScores;
};

type Column = { title: string; value: (result: MeasuredRow) => number | undefined };

const metrics: Column[] = [
  { title: "image AUROC", value: ({ image }) => image.auroc },
  { title: "AP", value: ({ image }) => image.ap },
  { title: "F1-max", value: ({ image }) => image.f1Max },
  { title: "pixel AUROC", value: ({ pixel }) => pixel?.auroc },
  { title: "AP", value: ({ pixel }) => pixel?.ap },
  { title: "AUPRO 0.3", value: ({ pixel }) => pixel?.aupro30 },
  { title: "AUPRO 0.05", value: ({ pixel }) => pixel?.aupro05 },
];

/**
 * A table of results in percent, one row each with its controls below it, and the mean of the results where there are several. Every
 * row says its protocol, or that it is a control.
 *
 * @param width columns of the terminal: what is wider becomes two tables; Markdown is always one
 */
export function formatResults(
  results: readonly ResultRow[],
  style: TableStyle = "text",
  width = Infinity,
): string {
  const header = ["category", "protocol", "images", ...metrics.map(({ title }) => title), "ms/image"];
  const cellsOf = (row: MeasuredRow): string[] => metrics.map(({ value }) => percent(value(row)));
  const indent = style === "markdown" ? "" : "  ";
  const rows = results.flatMap((result) => [
    [
      ...[result.category, result.protocol, String(result.images)],
      ...[...cellsOf(result), result.msPerImage.p50.toFixed(0)],
    ],
    ...(result.controls ?? []).map((row) => [indent + row.name, "control", "", ...cellsOf(row), ""]),
  ]);
  if (results.length > 1) {
    const means = metrics.map(({ value }) => {
      const known = results.map(value).filter((metric) => metric !== undefined);
      // A mean over some of the rows would pass for one over all.
      const mean = known.reduce((sum, metric) => sum + metric, 0) / known.length;
      return percent(known.length === results.length ? mean : undefined);
    });
    rows.push(["mean", "", "", ...means, ""]);
  }
  if (style === "markdown") return formatTable(header, rows, style);
  // The protocol and the count, metrics of images, those of pixels, the time.
  return formatWideTable(header, rows, [2, 3, 4, 1], width);
}

/** A fraction in percent; a dash where it is not known. */
const percent = (metric: number | undefined): string =>
  metric === undefined ? "–" : (metric * 100).toFixed(1);
