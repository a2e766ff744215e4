/** Layers and models as users run them: compiled, then replayed. */
import { type Device, LimitError, OutOfMemoryError, type Profile, profile, tune } from "@ddad/nn";
import { usesMatrixUnit, type Work } from "./ceilings.ts";
import type { Run } from "./kernels.ts";
import { blockFamilies } from "./layers/blocks.ts";
import { denoiserFamilies } from "./layers/denoisers.ts";
import type { Family, Step } from "./layers/family.ts";
import { inspectionFamilies } from "./layers/inspection.ts";
import { effortFor, measure } from "./measure.ts";
import { type Commands, countCommands, timeSubmissions } from "./observe.ts";
import { type CaseResult, caseResult } from "./results.ts";

/** What is done with a layer beside timing it. */
export interface LayerOptions {
  /** Its kernels' variants are measured first, and the fastest run from then on. */
  readonly tune: boolean;
  /** Where its time goes is reported. */
  readonly profile: boolean;
}

/** Times the cases one after another. */
export async function* benchmarkLayers(run: Run, options: LayerOptions): AsyncGenerator<CaseResult> {
  const conditions = { ...run.device.capabilities, quick: run.quick };
  for (const family of [
    ...blockFamilies,
    ...denoiserFamilies(conditions),
    ...inspectionFamilies(conditions),
  ]) {
    if (family.names.some(run.wanted)) yield* benchmarkFamily(family, run, options);
  }
}

async function* benchmarkFamily(
  { names, make }: Family,
  run: Run,
  options: LayerOptions,
): AsyncGenerator<CaseResult> {
  const { steps, parameters, dispose } = await make();
  for (const [index, step] of steps.entries()) {
    const name = names[index]!;
    if (!run.wanted(name)) continue;
    try {
      yield { ...(await benchmarkLayer(name, finished(run.device, step), run, options)), parameters };
    } catch (error) {
      const tooLarge = error instanceof LimitError || error instanceof OutOfMemoryError;
      if (tooLarge) run.report(`${name}: skipped. ${error.message}`);
      else run.failed(name, error);
    }
  }
  dispose?.();
}

/** The step until the GPU is done with it. Its results are dropped. */
const finished = (device: Device, step: Step) => async (): Promise<void> => {
  const results = await step();
  await device.gpu.queue.onSubmittedWorkDone();
  for (const result of results) result.dispose();
};

async function benchmarkLayer(
  name: string,
  work: () => Promise<void>,
  run: Run,
  options: LayerOptions,
): Promise<CaseResult> {
  const { device, ceilings } = run;
  if (options.tune) await tuneLayer(name, work, run);
  const start = performance.now();
  await work();
  const first = performance.now() - start;
  // Results alternate between buffers: only the third run finds all its bind groups made.
  await work();
  const again = performance.now() - start - first;
  const commands = await countCommands(device.gpu, work);
  const profiled = await profileOrNothing(device, work);
  if (options.profile && profiled) run.report(`\n${name}, ${describe(commands)}\n${profiled}\n`);
  let host = Number.POSITIVE_INFINITY;
  const timed = async (): Promise<void> => {
    const submissions = await timeSubmissions(device.gpu, work);
    const spent = submissions.reduce((sum, { encode, submit }) => sum + encode + submit, 0);
    host = Math.min(host, spent);
  };
  const timing = await measure(name, timed, effortFor(again, run.effort));
  const { dispatches } = commands;
  const replayMicroseconds = (1000 * host) / dispatches;
  const replayed = `replayed in ${replayMicroseconds.toFixed(1)} µs each`;
  const note = `${describe(commands)}, ${replayed}; first call ${first.toFixed(0)} ms`;
  const result = caseResult(name, timing, workOf(profiled), ceilings, note);
  return { ...result, dispatches, replayMicroseconds };
}

async function tuneLayer(name: string, work: () => Promise<void>, run: Run): Promise<void> {
  const start = performance.now();
  const report = await tune(work);
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  run.report(`\n${name}, ${report.rows.length} kernel calls measured in ${seconds} s\n${report}\n`);
}

const describe = ({ dispatches, pipelines, bindGroups }: Commands): string =>
  `${dispatches} dispatches of ${pipelines} pipelines, ${bindGroups} new bind groups`;

async function profileOrNothing(
  device: Device,
  work: () => Promise<void>,
): Promise<Profile<void> | undefined> {
  return device.gpu.features.has("timestamp-query") ? profile(work) : undefined;
}

/** Everything that ran; unknown, and given as 0, without timestamp queries. */
function workOf(profiled: Profile<void> | undefined): Work {
  let [flops, bytes, matrixFlops] = [0, 0, 0];
  for (const { label, microseconds, gflops, gbps } of profiled?.rows ?? []) {
    const [, variant = ""] = label.split("/");
    flops += gflops * microseconds * 1e3;
    bytes += gbps * microseconds * 1e3;
    if (usesMatrixUnit(variant)) matrixFlops += gflops * microseconds * 1e3;
  }
  return { flops, bytes, matrixFlops };
}
