/** `tune`: measures which variant of each kernel is the fastest for the shapes of a program, and remembers it. */

import { show } from "@ddad/kernels-wgsl";
import { tuningStore } from "#tuningStore";
import { currentDevice, type Device } from "./device/device.ts";
import { PipelineCache } from "./device/pipelines.ts";
import { DeviceLostError } from "./errors.ts";
import { checkOptions } from "./options.ts";
import { chooseVariant } from "./program/lower.ts";
import type { ProgramCall } from "./program/program.ts";
import { collectCalls } from "./tuning/collect.ts";
import { admittedNames, measureCall, type Rejection } from "./tuning/measure.ts";
import { saveTuning, type TuningStore } from "./tuning/store.ts";

/** Options of `tune`. */
export interface TuneOptions {
  /** Also measures calls whose choice is known. Default: false. */
  readonly again?: boolean;
  /** Timings of each variant, of which the least counts. Default: 5. */
  readonly samples?: number;
  /** Called with each call as soon as it is measured. */
  readonly onRow?: (row: TuneRow) => void;
  /** Once it is aborted, no further call is measured; the report holds those that were, and their choices are kept. */
  readonly signal?: { readonly aborted: boolean } | undefined;
  /**
   * Where choices are kept for later processes, undefined for nowhere. Default: the file that `DDAD_TUNING` names, else
   * `tuning.json` in the user's cache folder; in a browser the origin's private file system.
   */
  readonly store?: TuningStore | undefined;
}

/** The variants of one kernel call. */
export interface TuneRow {
  /** Name of the kernel. */
  readonly kernel: string;
  /** Inputs with their types and shapes. */
  readonly shapes: string;
  /** The variant that ran until now. */
  readonly before: string;
  /** The one that runs from now on; undefined where none could be checked, and nothing changes. */
  readonly chosen: string | undefined;
  /** Time of one run by variant. */
  readonly microseconds: Readonly<Record<string, number>>;
  /** Variants that failed or computed something else, and why: they are never chosen. */
  readonly rejected: readonly Rejection[];
}

/** What `tune` measured. As a string it is a table. */
export interface TuneReport {
  /** In the order in which they were measured: those with the most work first. */
  readonly rows: readonly TuneRow[];
  /** Distinct kernel calls that were not measured: they have one variant, their choice is known already, or the signal came first. */
  readonly skipped: number;
  /** Why later processes will not know these choices; undefined where they are stored, or there are none. */
  readonly unsaved: string | undefined;
  /** The table, a line for each row. */
  toString(): string;
}

/** Roughly what a call costs, a byte taken for as much as sixteen operations: GPUs and processors lie about there. */
function workOf({ kernel, call }: ProgramCall): number {
  const { flops, bytes } = kernel.cost(call);
  return flops / 16 + bytes;
}

/** What runs stays unless another variant takes less than this fraction of its time: smaller gains may be noise. */
const worthwhile = 0.95;

/**
 * Runs `fn` once, and measures every variant of the kernels that it evaluates, on random numbers of the same shapes. From then on
 * the fastest of those that compute the same as the variant that always fits are taken, by compiled functions too; the results of
 * variants differ by rounding. Takes seconds to minutes; other evaluations wait meanwhile. What is measured is remembered at once, for
 * this adapter, driver and version of the library, and read by `setupDevice`; an interrupted `tune` resumes there, behind
 * the kernel at which a device was lost, or the signal aborted.
 *
 * @param fn evaluates what is to become faster, such as one training step
 */
export async function tune(fn: () => Promise<unknown>, options: TuneOptions = {}): Promise<TuneReport> {
  const {
    again = false,
    samples = 5,
    onRow,
    signal,
  } = checkOptions("tune", options, ["again", "samples", "onRow", "signal", "store"]);
  const store = "store" in options ? options.store : tuningStore();
  const device = currentDevice();
  const calls = [...(await collectCalls(fn))].sort(([, a], [, b]) => workOf(b) - workOf(a));
  const rows: TuneRow[] = [];
  const unsaved = await device.exclusively(async () => {
    const pipelines = new PipelineCache(device.gpu); // the losers' go with it
    let unsaved: string | undefined;
    for (const [key, entry] of calls) {
      if (signal?.aborted) break;
      if (!again && device.tuning.choices.has(key)) continue;
      const row = await tuneCall(device, pipelines, entry, samples).catch(async (error: unknown) => {
        if (!(error instanceof DeviceLostError)) throw error;
        throw await keptFromNowOn(device, store, key, entry, error);
      });
      if (!row) continue;
      rows.push(row);
      if (row.chosen !== undefined) {
        device.tuning.remember([[key, row.chosen]]);
        // At once: all of it takes minutes, and an interrupted run resumes here.
        unsaved = await save(device, store);
      }
      onRow?.(row);
    }
    return unsaved;
  });
  return {
    rows,
    skipped: calls.length - rows.length,
    unsaved,
    toString: () => (rows.length ? table(rows, unsaved) : nothing(calls.length)),
  };
}

/** Undefined where there is nothing to choose. */
async function tuneCall(
  device: Device,
  pipelines: PipelineCache,
  entry: ProgramCall,
  samples: number,
): Promise<TuneRow | undefined> {
  // A kernel that overwrites its inputs would start each run from what the last one left. Such kernels have one variant each.
  if (entry.kernel.updates || admittedNames(entry, device).length < 2) return undefined;
  const before = chooseVariant(entry, device.capabilities, device.tuning.choices).name;
  const { microseconds, rejected } = await measureCall(device, pipelines, entry, samples);
  const [fastest] = [...microseconds].sort(([, a], [, b]) => a - b);
  const now = microseconds.get(before);
  const stays = fastest && now !== undefined && fastest[1] >= worthwhile * now;
  return {
    kernel: entry.kernel.name,
    shapes: shapesOf(entry),
    before,
    chosen: stays ? before : fastest?.[0],
    microseconds: Object.fromEntries(microseconds),
    rejected,
  };
}

const shapesOf = ({ call }: ProgramCall): string =>
  Object.entries(call.inputs)
    .map(([name, { dtype, shape }]) => `${name} ${dtype} ${show(shape)}`)
    .join(", ");

/**
 * A variant that hangs or crashes the GPU would do so each time: what ran until now is remembered as the choice for this call, so that
 * the next `tune` passes it over. The error says so.
 */
async function keptFromNowOn(
  device: Device,
  store: TuningStore | undefined,
  key: string,
  entry: ProgramCall,
  { message }: DeviceLostError,
): Promise<DeviceLostError> {
  const kept = chooseVariant(entry, device.capabilities, device.tuning.choices).name;
  device.tuning.remember([[key, kept]]);
  const unsaved = await save(device, store);
  const next = unsaved ? `could not be remembered: ${unsaved}.` : "is kept: the next tune passes it over.";
  return new DeviceLostError(
    `${message} It was lost while tune measured ${entry.kernel.name} (${shapesOf(entry)}), whose variant "${kept}" ${next}`,
  );
}

/** Why the choices could not be stored, if so. They still hold for this process. */
async function save(device: Device, store: TuningStore | undefined): Promise<string | undefined> {
  if (!store) return "there is no place to keep them (DDAD_TUNING=off, or no private file system)";
  try {
    await saveTuning(device, store);
    return undefined;
  } catch (error) {
    return `${store.place}: ${error instanceof Error ? error.message : error}`;
  }
}

const nothing = (calls: number): string =>
  `Nothing to measure: each of ${calls} kernel calls has one variant or a known choice.`;

function table(rows: readonly TuneRow[], unsaved: string | undefined): string {
  const time = (row: TuneRow, variant: string | undefined): string => {
    const microseconds = variant === undefined ? undefined : row.microseconds[variant];
    return (microseconds === undefined ? "–" : microseconds.toFixed(1)).padStart(10);
  };
  const lines = rows.flatMap((row) => [
    `${row.kernel.padEnd(22)} ${time(row, row.before)} ${time(row, row.chosen)}  ${
      row.chosen === row.before ? row.before : `${row.before} → ${row.chosen ?? "unchanged"}`
    }  (${row.shapes})`,
    ...row.rejected.map(({ variant, why }) => `    not ${variant}: ${why}`),
  ]);
  const head = `${"kernel".padEnd(22)} ${"µs before".padStart(10)} ${"µs after".padStart(10)}  variant`;
  return [head, ...lines, ...(unsaved ? [`The choices end with this process: ${unsaved}.`] : [])].join("\n");
}
