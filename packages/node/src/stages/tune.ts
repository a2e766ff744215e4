/** Measuring the kernels of a stage before it does its work. */

import { type Config, DataError } from "@ddad/ddad/internal";
import { currentDevice, type TuneOptions, type TuneReport } from "@ddad/nn";
import { tuningStore } from "@ddad/nn/internal";
import { formatDuration } from "../duration.ts";
import { notice, progress, type StageOptions } from "../events.ts";

/**
 * Measures kernels, and tells which, and what has come of it; also where the signal ends it, as the choices until then are kept.
 *
 * @param measure calls `tune` with these options
 * @throws the reason of the signal, once it is aborted
 */
export async function tuneKernels(
  measure: (options: TuneOptions & Pick<StageOptions, "signal">) => Promise<TuneReport>,
  options: StageOptions = {},
): Promise<void> {
  const started = performance.now();
  const told = progress(options, "measured kernels:", "kernels");
  let measured = 0;
  const report = await measure({
    signal: options.signal,
    onRow: ({ kernel, before, chosen = before }) =>
      told.update(++measured, undefined, {
        details: `${kernel} ${chosen === before ? before : `${before} → ${chosen}`}`,
      }),
  });
  told.end();
  const aborted = options.signal?.aborted === true;
  if (!aborted || report.rows.length > 0)
    notice(options, describeTuning(report, (performance.now() - started) / 1000));
  options.signal?.throwIfAborted();
}

function describeTuning({ rows, skipped, unsaved }: TuneReport, seconds: number): string {
  const { name } = currentDevice();
  if (rows.length === 0) {
    return `no kernel had to be measured: of ${skipped} each has one variant or a choice that is known for ${name}`;
  }
  const chosen = rows.filter((row) => row.chosen !== undefined);
  const changed = chosen.filter((row) => row.chosen !== row.before);
  const kept =
    chosen.length === 0
      ? "none could be checked, so no choice is kept"
      : unsaved === undefined
        ? `the choices are kept for ${name} in ${tuningStore()!.place}`
        : `the choices end with this process: ${unsaved}`;
  return `measured ${rows.length} kernels in ${formatDuration(seconds)}, ${changed.length} changed; ${kept}`;
}

/** @throws DataError where there is no training step to measure. */
export function checkTuning({ method }: Config): void {
  if (method === "ddad") return;
  throw new DataError(
    `--tune measures a training step, and method ${method} takes none; leave it out, or give it to ddad bench, which measures an inspection.`,
  );
}
