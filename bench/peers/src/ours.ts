/** This library: compiled functions, replayed. */
import { readFileSync } from "node:fs";
import { Adam, compile, type Device, grad, mseLoss, type Tensor, tensor } from "@ddad/nn";
import { type Contestant, comparedSteps, type Prepared } from "./contestant.ts";
import type { Values } from "./values.ts";
import { learningRate, type Workload } from "./workload.ts";

const { version } = JSON.parse(
  readFileSync(new URL("../../../packages/nn/package.json", import.meta.url), "utf8"),
) as { version: string };

/** Runs once; its results are new tensors. */
type Step = () => Promise<readonly Tensor[]>;

export const ours = (device: Device): Contestant => ({
  name: "ours",
  version,
  refusal: () => undefined,
  device: () => device.gpu,
  prepare: async (workload) => prepare(workload),
});

function prepare(workload: Workload): Prepared {
  const names = [...workload.inputs.keys()];
  const inputs = [...workload.inputs.values()].map(upload);
  const named = (tensors: readonly Tensor[]): Record<string, Tensor> =>
    Object.fromEntries(names.map((name, index) => [name, tensors[index]!]));
  const { step, dispose } = stepOf(workload, inputs, named);
  return {
    submit: async () => {
      for (const result of await step()) result.dispose();
    },
    results: () => (workload.mode === "training" ? losses(step) : read(step)),
    dispose: () => {
      dispose();
      workload.module.dispose();
      for (const input of inputs) input.dispose();
    },
  };
}

const upload = ({ shape, data }: Values): Tensor => tensor(data, shape);

function stepOf(
  workload: Workload,
  inputs: readonly Tensor[],
  named: (tensors: readonly Tensor[]) => Record<string, Tensor>,
): { step: Step; dispose: () => void } {
  const { mode, module, forward, target } = workload;
  if (mode === "forward") {
    const run = compile((...args: Tensor[]) => [forward(named(args))]);
    return { step: () => run(...inputs), dispose: () => undefined };
  }
  if (mode === "gradients") {
    const parameters = module.parameters();
    const run = compile((...args: Tensor[]) => {
      const loss = forward(named(args)).square().mean();
      return [loss, ...grad(loss, [...args, ...parameters])];
    });
    return { step: () => run(...inputs), dispose: () => undefined };
  }
  const optimizer = new Adam(module, { learningRate });
  const wanted = upload(target!);
  const run = compile((goal: Tensor, control: Tensor, ...args: Tensor[]) => {
    const loss = mseLoss(forward(named(args)), goal);
    optimizer.step(grad(loss, optimizer.parameters), { control });
    return [loss];
  });
  const step = async (): Promise<readonly Tensor[]> => {
    const control = optimizer.control();
    const results = await run(wanted, control, ...inputs);
    control.dispose();
    return results;
  };
  const dispose = (): void => {
    wanted.dispose();
    for (const variable of optimizer.variables) variable.dispose();
  };
  return { step, dispose };
}

async function read(step: Step): Promise<Values[]> {
  const results = await step();
  const values: Values[] = [];
  for (const result of results) {
    values.push({ shape: result.shape, data: (await result.data()) as Float32Array });
    result.dispose();
  }
  return values;
}

async function losses(step: Step): Promise<Values[]> {
  const data = new Float32Array(comparedSteps);
  for (let k = 0; k < comparedSteps; k++) data[k] = (await read(step))[0]!.data[0]!;
  return [{ shape: [comparedSteps], data }];
}
