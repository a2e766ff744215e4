/** The results of many evaluations, in one table or on one page. */
import {
  type DecidedResult,
  type Difference,
  groupResults,
  htmlReport,
  protocolDifferences,
} from "@ddad/ddad/internal";
import type { StageOptions } from "../events.ts";
import { writeWhole } from "../files.ts";
import { type FoundRun, findResults, withImages } from "../results.ts";

/** Options of `reportResults`. */
export interface ReportOptions extends StageOptions {
  /** File to which a page of all results is written, HTML that needs no other file. Default: none is written. */
  readonly html?: string | undefined;
  /** Largest number of images of wrong decisions in the page. Default 24. */
  readonly images?: number | undefined;
  /** Largest number of small images in the page's list of all images. Default 400. */
  readonly thumbnails?: number | undefined;
}

/** What `reportResults` found. */
export interface ResultsReport {
  /** Every result with its file, and a name that tells it from the others. */
  readonly runs: readonly FoundRun[];
  /** The same as rows of a table, under these names. */
  readonly rows: readonly DecidedResult[];
  /** These rows by method and protocol: only those of one group can be compared. */
  readonly groups: readonly { readonly title: string; readonly rows: readonly DecidedResult[] }[];
  /** Settings and data in which the runs differ. */
  readonly differences: readonly Difference[];
}

/**
 * Collects the results below folders, and writes a page of them where one is wanted.
 *
 * @param folders runs or evaluations, searched with their subfolders
 * @throws DataError where there is no result or no such folder, or where scores do not belong to the results beside them; the reason of
 * the signal where it is aborted, and then no page is written
 */
export async function reportResults(
  folders: readonly string[],
  options: ReportOptions = {},
): Promise<ResultsReport> {
  const { html, images = 24, thumbnails = 400 } = options;
  const runs = findResults(folders, options);
  if (html !== undefined) {
    const shown = await withImages(runs, { images, thumbnails }, options);
    writeWhole(html, htmlReport(shown));
  }
  return {
    runs,
    rows: runs.map(asRow),
    groups: groupResults(runs).map(({ title, members }) => ({ title, rows: members.map(asRow) })),
    differences: protocolDifferences(runs),
  };
}

/** A result whose row of a table its name distinguishes. */
const asRow = ({ name, result, falseAlarms, calibration }: FoundRun): DecidedResult => ({
  ...result,
  category: name,
  falseAlarms,
  calibration,
});
