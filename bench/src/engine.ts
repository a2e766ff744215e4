/** Host cost of the engine: replaying, recording, and looking up a plan. */
import { compile, evaluate, grad, type Tensor, tensor } from "@ddad/tensor";
import type { Run } from "./kernels.ts";
import { measure, summarise } from "./measure.ts";
import { countCommands, type Submission, timeSubmissions } from "./observe.ts";
import type { EngineResult } from "./results.ts";

/** Dispatches of the tiny program: about half of a training step of the full network. */
const length = 600;

/** A chain that cannot be fused. Its matrices are so small that the GPU keeps up with the host. */
function chain(x: Tensor, weight: Tensor, count: number = length): Tensor {
  let y = x;
  for (let step = 0; step < count; step++) y = y.matmul(weight);
  return y;
}

const identity = (): Tensor => tensor([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], [4, 4]);

/** Host times in milliseconds, for how many dispatches or ops each, and what else is to be said. */
interface Samples {
  readonly milliseconds: readonly number[];
  readonly per: number;
  readonly note?: string;
}

/** Figures that are measured together, in the order of their names. */
interface Measurement {
  readonly names: readonly string[];
  readonly run: (run: Run) => Promise<Samples[]>;
}

const measurements: readonly Measurement[] = [
  {
    names: [
      "replay: encode and submit, per dispatch",
      "replay: encode, per dispatch",
      "replay: submit, per dispatch",
      "replay: the whole call of a compiled function, per dispatch",
    ],
    run: replay,
  },
  {
    names: [
      "evaluate: record and find the known plan, per op",
      "evaluate: a new plan of known pipelines, per op",
    ],
    run: evaluateAgain,
  },
  {
    names: [
      "record: add, per op",
      "record: matmul, per op",
      "record: gradient of matmul to both inputs, per op",
    ],
    run: recordOps,
  },
];

/** Yields the figures one after another. */
export async function* benchmarkEngine(run: Run): AsyncGenerator<EngineResult> {
  for (const { names, run: measured } of measurements) {
    if (!names.some(run.wanted)) continue;
    for (const [index, { milliseconds, per, note = "" }] of (await measured(run)).entries()) {
      const name = names[index]!;
      if (!run.wanted(name)) continue;
      const { minimum, median } = summarise(milliseconds);
      yield { name, microseconds: (1000 * minimum) / per, medianMicroseconds: (1000 * median) / per, note };
    }
  }
}

/** Runs `work` on an idle GPU often enough; gives host time until it resolves, and of the submission inside. */
async function sample(
  run: Run,
  name: string,
  work: () => Promise<readonly Tensor[]>,
): Promise<{ calls: number[]; submissions: Submission[] }> {
  const { gpu } = run.device;
  const calls: number[] = [];
  const submissions: Submission[] = [];
  const once = async (): Promise<void> => {
    let results: readonly Tensor[] = [];
    const seen = await timeSubmissions(gpu, async () => {
      const start = performance.now();
      results = await work();
      calls.push(performance.now() - start);
    });
    submissions.push(...seen);
    await gpu.queue.onSubmittedWorkDone();
    for (const tensor of results) tensor.dispose();
  };
  await once();
  calls.length = submissions.length = 0;
  await measure(name, once, run.effort);
  return { calls, submissions };
}

async function replay(run: Run): Promise<Samples[]> {
  const x = identity();
  const step = compile((input: Tensor) => [chain(input, input)]);
  await step(x);
  const commands = await countCommands(run.device.gpu, async () => void (await step(x)));
  const { calls, submissions } = await sample(run, "replay", () => step(x));
  const { dispatches, pipelines, bindGroups, passes } = commands;
  const note = `${dispatches} dispatches, ${passes} pass, ${bindGroups} new bind groups, ${pipelines} pipelines`;
  const encode = submissions.map((submission) => submission.encode);
  const submit = submissions.map((submission) => submission.submit);
  const both = submissions.map((submission) => submission.encode + submission.submit);
  return [
    { milliseconds: both, per: dispatches, note },
    { milliseconds: encode, per: dispatches },
    { milliseconds: submit, per: dispatches },
    { milliseconds: calls, per: dispatches },
  ];
}

/** `evaluate` of a program whose plan is known, and of one whose plan must be made (its pipelines are known). */
async function evaluateAgain(run: Run): Promise<Samples[]> {
  const x = identity();
  const program = (count: number) => async (): Promise<Tensor[]> => {
    const y = chain(x, x, count);
    await evaluate(y);
    return [y];
  };
  const known = await sample(run, "evaluate, known plan", program(length));
  const spent = known.calls.map((call, index) => {
    const { encode, submit } = known.submissions[index]!;
    return call - encode - submit;
  });
  const planning: number[] = [];
  for (let extra = 1; extra <= run.effort.samples; extra++) {
    const start = performance.now();
    const [y] = await program(length + extra)();
    planning.push(performance.now() - start);
    await run.device.gpu.queue.onSubmittedWorkDone();
    y!.dispose();
  }
  return [
    { milliseconds: spent, per: length },
    { milliseconds: planning, per: length },
  ];
}

/** Recording alone: nothing of it is ever evaluated. */
async function recordOps(run: Run): Promise<Samples[]> {
  const x = identity();
  const end = chain(x, x).sum();
  const time = async (work: () => unknown): Promise<Samples> => {
    const milliseconds: number[] = [];
    const once = async (): Promise<void> => {
      const start = performance.now();
      work();
      milliseconds.push(performance.now() - start);
    };
    await measure("record", once, run.effort);
    return { milliseconds, per: length };
  };
  const sums = (): Tensor => {
    let y = x;
    for (let step = 0; step < length; step++) y = y.add(x);
    return y;
  };
  return [await time(sums), await time(() => chain(x, x)), await time(() => grad(end, [x]))];
}
