/** Runs one workload in every library, interleaved, after checking the result of each. */
import { type Contestant, type Prepared, resultNames } from "./contestant.ts";
import { relativeDifference, type Values } from "./values.ts";
import type { Workload } from "./workload.ts";

/** Milliseconds of one run. */
export interface Timing {
  /** Fastest sample. */
  readonly ms: number;
  readonly median: number;
}

export interface PeerResult extends Partial<Timing> {
  /** Its fastest sample by ours: above 1, ours is faster. */
  readonly ratio?: number;
  /** Largest difference of a result from ours, relative to our largest value. */
  readonly difference?: number;
  /** Why there is no time: what it cannot do, what it threw, or that its numbers are wrong. */
  readonly refused?: string;
}

export interface CaseResult {
  readonly name: string;
  readonly ours: Timing;
  readonly peers: Readonly<Record<string, PeerResult>>;
  /** The fastest peer by ours; absent where no peer was timed. */
  readonly ratio?: number;
}

export interface Effort {
  readonly rounds: number;
  /** A sample repeats the run until the fastest library takes this long, within limits. */
  readonly sampleMs: number;
}

/** Libraries sum in different orders: gradients of thousands of terms differ by 1e-5. More than this is another result. */
const mostDifference = 1e-3;
/** Runs in a sample: not more, or results that wait for the queue would fill the memory. */
const mostRuns = 64;
/** Nor does a sample of the slowest library last longer, unless one run does. */
const mostSampleMs = 2000;

interface Entrant {
  readonly contestant: Contestant;
  readonly prepared: Prepared;
  readonly samples: number[];
  failure?: string;
}

/** What WebGPU refused on a library's device: work that was refused takes no time at all. */
const errors = new WeakMap<GPUDevice, string[]>();

/** `report` gets each library as it becomes ready. */
export async function compete(
  workload: Workload,
  own: Contestant,
  peers: readonly Contestant[],
  effort: Effort,
  report: (line: string) => void,
): Promise<CaseResult> {
  const entrants: Entrant[] = [];
  const results: Record<string, PeerResult> = {};
  try {
    const prepared = await own.prepare(workload);
    entrants.push({ contestant: own, prepared, samples: [] });
    const expected = await prepared.results();
    for (const peer of peers) {
      const start = performance.now();
      const { entrant, result } = await admit(peer, workload, expected);
      results[peer.name] = result;
      if (entrant) entrants.push(entrant);
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      report(`${peer.name}: ${describe(result)} (${seconds} s to prepare and check)`);
    }
    await takeSamples(entrants, effort);
    return summarise(workload.name, entrants, results);
  } finally {
    for (const { prepared } of entrants) prepared.dispose();
  }
}

const describe = ({ refused, difference }: PeerResult): string =>
  refused ?? `agrees with ours to ${difference!.toExponential(1)}`;

/** A peer that cannot run it, fails or computes wrong results is reported and not timed. */
async function admit(
  peer: Contestant,
  workload: Workload,
  expected: readonly Values[],
): Promise<{ entrant?: Entrant; result: PeerResult }> {
  const refused = peer.refusal(workload);
  if (refused) return { result: { refused } };
  let prepared: Prepared | undefined;
  try {
    prepared = await peer.prepare(workload);
    const refusals = watch(await peer.device());
    const got = await prepared.results();
    if (refusals.length) throw new Error(refusals.splice(0)[0]);
    const names = resultNames(workload);
    const differences = expected.map((values, k) => relativeDifference(got[k]!, values));
    const difference = Math.max(...differences);
    if (difference <= mostDifference) {
      return { entrant: { contestant: peer, prepared, samples: [] }, result: { difference } };
    }
    const worst = names[differences.indexOf(difference)]!;
    prepared.dispose();
    return { result: { difference, refused: `wrong: ${worst} differs by ${difference.toExponential(1)}` } };
  } catch (error) {
    prepared?.dispose();
    return { result: { refused: `failed: ${firstLine(error)}` } };
  }
}

/** Every library once per round, in alternating order, so that none always follows the same one. */
async function takeSamples(entrants: readonly Entrant[], { rounds, sampleMs }: Effort): Promise<void> {
  const first: number[] = [];
  for (const entrant of entrants) {
    await sample(entrant, 1); // the first run without reading back may still create something
    first.push(await sample(entrant, 1));
  }
  const slowest = Math.max(...first.filter(Number.isFinite));
  const wanted = Math.min(
    mostRuns,
    Math.ceil(sampleMs / Math.min(...first)),
    Math.floor(mostSampleMs / slowest),
  );
  const runs = Math.max(1, wanted);
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? entrants : entrants.toReversed();
    for (const entrant of order) entrant.samples.push(await sample(entrant, runs));
  }
}

/**
 * Milliseconds of one run among `runs` that are submitted one after another and waited for once, by the device's queue.
 * Infinite, and the reason kept, once the library has failed.
 */
async function sample(entrant: Entrant, runs: number): Promise<number> {
  if (entrant.failure) return Number.POSITIVE_INFINITY;
  const { contestant, prepared } = entrant;
  try {
    const device = await contestant.device();
    const refused = watch(device);
    const start = performance.now();
    for (let run = 0; run < runs; run++) await prepared.submit();
    contestant.flush?.();
    await device.queue.onSubmittedWorkDone();
    const elapsed = performance.now() - start;
    await new Promise((resolve) => setImmediate(resolve)); // errors arrive as events
    if (refused.length) throw new Error(refused.splice(0)[0]);
    return elapsed / runs;
  } catch (error) {
    entrant.failure = `failed: ${firstLine(error)}`;
    return Number.POSITIVE_INFINITY;
  }
}

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0]!.slice(0, 200);

/** What WebGPU refuses on the device from now on. */
function watch(device: GPUDevice): string[] {
  const known = errors.get(device);
  if (known) return known;
  const messages: string[] = [];
  errors.set(device, messages);
  device.addEventListener("uncapturederror", ({ error }) => messages.push(error.message));
  return messages;
}

function timingOf(samples: readonly number[]): Timing {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1]!, sorted[Math.floor(middle)]!];
  return { ms: sorted[0]!, median: (low + high) / 2 };
}

function summarise(
  name: string,
  [own, ...others]: readonly Entrant[],
  checked: Readonly<Record<string, PeerResult>>,
): CaseResult {
  if (own!.failure) throw new Error(`${name}: this library ${own!.failure}`);
  const ours = timingOf(own!.samples);
  const peers = { ...checked };
  for (const { contestant, samples, failure } of others) {
    const timing = timingOf(samples);
    const result = failure ? { refused: failure } : { ...timing, ratio: timing.ms / ours.ms };
    peers[contestant.name] = { ...result, ...checked[contestant.name] };
  }
  const ratios = Object.values(peers).flatMap(({ ratio }) => ratio ?? []);
  return { name, ours, peers, ...(ratios.length && { ratio: Math.min(...ratios) }) };
}
