/** What a layout is: how the images of a data set lie on disk. */
import type { DatasetFormat, Samples } from "@ddad/ddad/internal";

/** Named as in the configuration's section `data`, which may be given whole. */
export type DatasetOptions = {
  /** Folder below the root, for a root that holds several data sets. */
  category?: string | undefined;
  /** Folder with `good` and one folder for every kind of defect; otherwise `test` below the data set. */
  test?: string | undefined;
  /** The layout, where several would do; otherwise the one that the folder has. */
  format?: DatasetFormat | undefined;
  /** Chooses the good test images of a data set that does not say which are. */
  splitSeed?: number | undefined;
};

/** One way in which images lie on disk. */
export type Layout = {
  /** What it looks like, for people. */
  readonly looks: string;
  /** Whether a folder has it. */
  matches(folder: string): boolean;
  /** The images, none decoded. @throws DataError when there are no good ones, or a table is wrong. */
  read(folder: string, options: DatasetOptions): Samples;
  /** Whether the test images may lie elsewhere. */
  readonly otherTest: boolean;
  /** The layout of which this is a special case: where both match, this one counts. */
  readonly refines?: DatasetFormat;
};
