/** Microbenchmarks: every kernel's benchmark cases, every variant that runs on the adapter. */
import {
  admits,
  type Call,
  type Case,
  type CaseValues,
  type Kernel,
  kernels,
  prepareCase,
  usualVariants,
} from "@ddad/kernels-wgsl";
import { type Device, LimitError } from "@ddad/tensor";
import { type Ceilings, usesMatrixUnit } from "./ceilings.ts";
import { checkOutputs, type Outputs } from "./check.ts";
import { type Effort, measureSteps, runSteps } from "./measure.ts";
import { type CaseResult, caseResult } from "./results.ts";
import { type AnyVariant, VariantRun } from "./variantRun.ts";

export interface Run {
  readonly device: Device;
  readonly ceilings: Ceilings;
  readonly effort: Effort;
  readonly quick: boolean;
  /** Also the variants that are only for tuning. */
  readonly allVariants: boolean;
  readonly wanted: (name: string) => boolean;
  /** Shown beside the table. */
  readonly report: (line: string) => void;
  /** Called for a variant that fails or computes wrong results, and so gets no time. Throws to end the run. */
  readonly failed: (name: string, error: unknown) => void;
}

/** The f64 reference of more operations or elements than this takes longer than everything else here. */
const referenceFlops = 2e8;
const referenceBytes = 32e6;

/** Times the cases one after another. A variant that computes something wrong has failed, and has no result. */
export async function* benchmarkKernels(run: Run): AsyncGenerator<CaseResult> {
  for (const kernel of kernels) {
    for (const example of kernel.cases) {
      if (!example.bench && (!example.benchOnly || run.quick)) continue;
      if (!variantsOf(kernel, run).some((variant) => run.wanted(nameOf(kernel, variant, example)))) continue;
      try {
        yield* benchmarkCase(kernel, example, run);
      } catch (error) {
        const name = `${kernel.name}, ${example.name}`;
        if (error instanceof LimitError) run.report(`${name}: skipped. ${error.message}`);
        else run.failed(name, error);
      }
    }
  }
}

const variantsOf = (kernel: Kernel, { allVariants }: Run): readonly AnyVariant[] =>
  allVariants ? kernel.variants : usualVariants(kernel);

const nameOf = (kernel: Kernel, variant: AnyVariant, example: Case): string =>
  `${kernel.name}/${variant.name} ${example.name}`;

async function* benchmarkCase(kernel: Kernel, example: Case, run: Run): AsyncGenerator<CaseResult> {
  const { device, ceilings, effort } = run;
  const { call, values: inputs } = prepareCase(kernel, example);
  const admitted = variantsOf(kernel, run).filter((variant) => admits(variant, device.capabilities, call));
  const expected = await expectation(kernel, example, call, inputs, device);
  const cost = kernel.cost(call);
  // All variants of a call have one ceiling: that of the best unit which any of them can use.
  const byMatrices = admitted.some(({ name }) => usesMatrixUnit(name));
  const work = { ...cost, matrixFlops: byMatrices ? cost.flops : 0 };
  for (const variant of admitted) {
    const name = nameOf(kernel, variant, example);
    if (!run.wanted(name)) continue;
    let prepared: VariantRun | undefined;
    try {
      prepared = await VariantRun.prepare(device, kernel, variant, call, inputs);
      await runSteps(device, prepared.steps, 1);
      checkOutputs(name, call, await prepared.outputs(), expected.outputs, expected.tolerance);
      const timing = await measureSteps(name, device, prepared.steps, effort);
      const chosen = variant === admitted[0] && admitted.length > 1 ? "the engine's choice, " : "";
      const note = chosen + checkOf(variant, admitted, expected);
      yield { ...caseResult(name, timing, work, ceilings, note), case: `${kernel.name} ${example.name}` };
    } catch (error) {
      if (error instanceof LimitError) throw error;
      run.failed(name, error);
    } finally {
      prepared?.destroy();
    }
  }
}

/** How a variant was checked, in words. */
function checkOf({ name }: AnyVariant, admitted: readonly AnyVariant[], { from }: Expectation): string {
  if (from !== name) return `checked against ${from}`;
  return admitted.length > 1 ? "the other variants are checked against it" : "unchecked: too large";
}

interface Expectation {
  readonly outputs: Outputs;
  readonly tolerance: number;
  /** "reference", or the name of the variant that stands in for it. */
  readonly from: string;
}

/** What every variant should compute: the reference where that is quick, else the variant that always fits. */
async function expectation(
  kernel: Kernel,
  example: Case,
  call: Call,
  inputs: CaseValues,
  device: Device,
): Promise<Expectation> {
  const { flops, bytes } = kernel.cost(call);
  const tolerance = example.tolerance ?? 1e-5;
  if (!example.benchOnly && flops <= referenceFlops && bytes <= referenceBytes) {
    const outputs = new Map(Object.entries(kernel.reference(inputs, call)));
    return { outputs, tolerance, from: "reference" };
  }
  const last = usualVariants(kernel).at(-1)!;
  const prepared = await VariantRun.prepare(device, kernel, last, call, inputs);
  try {
    await runSteps(device, prepared.steps, 1);
    // Both may err by the tolerance, in opposite directions.
    return { outputs: await prepared.outputs(), tolerance: 2 * tolerance, from: last.name };
  } finally {
    prepared.destroy();
  }
}
