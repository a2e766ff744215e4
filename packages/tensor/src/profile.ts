/** `profile`: the GPU time of each kernel, by timestamp queries. */
import { currentDevice } from "./device/device.ts";
import type { TimedDispatch } from "./device/timing.ts";
import { LimitError } from "./errors.ts";

let collecting: TimedDispatch[] | undefined;

/** Where runs put their timings; undefined while not profiling. */
export const profiling = (): TimedDispatch[] | undefined => collecting;

/** Time of all dispatches of one kernel variant. */
export interface ProfileRow {
  /** `kernel/variant/pass`. */
  readonly label: string;
  /** Number of runs. */
  readonly count: number;
  /** Time of all runs together. */
  readonly microseconds: number;
  /** Rates over the whole kernel; on the row of its first pass. 0 where the cost is not known. */
  readonly gflops: number;
  /** Gigabytes a second, each operand counted once. */
  readonly gbps: number;
}

/** What `profile` measured. As a string it is a table. */
export interface Profile<T> {
  /** What the measured function returned. */
  readonly result: T;
  /** Time of all kernels together on the GPU. */
  readonly microseconds: number;
  /** Slowest first. */
  readonly rows: readonly ProfileRow[];
  /** The table, a line for each row. */
  toString(): string;
}

/**
 * Runs `fn` with a timestamp around every dispatch and sums them by kernel. Throws where the adapter has no timestamp
 * queries. Dispatches run one by one meanwhile, so the total is a little above that of a normal run.
 */
export async function profile<T>(fn: () => Promise<T>): Promise<Profile<T>> {
  if (!currentDevice().gpu.features.has("timestamp-query")) {
    throw new LimitError("profile: this adapter has no timestamp queries; time whole evaluations instead.");
  }
  const timings: TimedDispatch[] = [];
  collecting = timings;
  try {
    const result = await fn();
    const rows = sumByLabel(timings);
    const microseconds = rows.reduce((total, row) => total + row.microseconds, 0);
    return { result, microseconds, rows, toString: () => table(rows, microseconds) };
  } finally {
    collecting = undefined;
  }
}

function sumByLabel(timings: readonly TimedDispatch[]): ProfileRow[] {
  const groups = new Map<string, { count: number; microseconds: number; flops: number; bytes: number }>();
  for (const { label, microseconds, flops, bytes } of timings) {
    const group = groups.get(label) ?? { count: 0, microseconds: 0, flops: 0, bytes: 0 };
    group.count++;
    group.microseconds += microseconds;
    group.flops += flops;
    group.bytes += bytes;
    groups.set(label, group);
  }
  return [...groups]
    .map(([label, { count, microseconds, flops, bytes }]) => ({
      label,
      count,
      microseconds,
      gflops: flops / microseconds / 1e3,
      gbps: bytes / microseconds / 1e3,
    }))
    .sort((a, b) => b.microseconds - a.microseconds);
}

function table(rows: readonly ProfileRow[], total: number): string {
  const lines = rows.map(({ label, count, microseconds, gflops, gbps }) =>
    [
      label.padEnd(44),
      String(count).padStart(6),
      microseconds.toFixed(0).padStart(10),
      `${((100 * microseconds) / total).toFixed(1)} %`.padStart(8),
      gflops.toFixed(1).padStart(9),
      gbps.toFixed(1).padStart(9),
    ].join(" "),
  );
  const head = `${"kernel".padEnd(44)}  count         µs fraction   GFLOP/s      GB/s`;
  return [head, ...lines].join("\n");
}
