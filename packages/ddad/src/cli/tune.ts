/** `--tune`: the kernels of a command are measured before it does its work. */
import { currentDevice, type TuneOptions, type TuneReport } from "@ddad/nn";
import { tuningStore } from "@ddad/nn/internal";
import type { Config } from "../config.ts";
import { DataError } from "../errors.ts";
import { formatDuration, Progress, say } from "./terminal.ts";

/** Says what is measured, and in the end what has come of it. @param measure calls `tune` */
export async function tuneAloud(measure: (options: TuneOptions) => Promise<TuneReport>): Promise<void> {
  const started = performance.now();
  const progress = new Progress("measured kernels:", "kernels");
  let measured = 0;
  const report = await measure({
    onRow: ({ kernel, before, chosen = before }) =>
      progress.update(
        ++measured,
        undefined,
        `${kernel} ${chosen === before ? before : `${before} → ${chosen}`}`,
      ),
  });
  say(describeTuning(report, (performance.now() - started) / 1000));
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
  if (method !== "patchcore") return;
  throw new DataError(
    "--tune measures a training step, and PatchCore takes none; leave it out, or give it to ddad bench, which measures an inspection.",
  );
}
