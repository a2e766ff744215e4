/** What the schema is written with. */
import * as z from "zod";

/** A whole number. The upper bounds are far above what makes sense: a file must not ask for work without end. */
export const count = (least: number, most = Number.MAX_SAFE_INTEGER) => z.int().min(least).max(most);

/** From 0, below 1. */
export const fraction = () => z.number().min(0).lt(1);

/** What must keep a setting that it was made with: a run in its folder, a model, its calibration, its adaptation. */
export type Bound = "run" | "model" | "calibration" | "adaptation";

/**
 * A setting: what it may be, what it binds (nothing: it may change at any time), and what it means. Lists of what may change, the
 * table of the docs and the help derive from this.
 */
export const setting = <T extends z.ZodType>(schema: T, binds: readonly Bound[], description: string): T =>
  schema.meta({ description, binds });
