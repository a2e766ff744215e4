/** The interface of a library for the runner. */
import type { Values } from "./values.ts";
import type { Workload } from "./workload.ts";

/** A library on the adapter. */
export interface Contestant {
  readonly name: string;
  readonly version: string;
  /** Why it cannot do this kind of workload; undefined where it can. */
  refusal(workload: Workload): string | undefined;
  /** The device it works on; known once something was prepared. */
  device(): GPUDevice | Promise<GPUDevice>;
  /** Submits what it has only recorded so far. */
  flush?(): void;
  /** Uploads weights and inputs, compiles what can be compiled. */
  prepare(workload: Workload): Promise<Prepared>;
}

/** A workload ready to be run, its inputs and weights on the device. */
export interface Prepared {
  /** Starts one run and lets its results go; nothing is read back. */
  submit(): Promise<void>;
  /** One run, read back: see `resultNames`. In training, the losses of three steps from the given weights. */
  results(): Promise<readonly Values[]>;
  dispose(): void;
}

/** Steps whose losses are compared in training. */
export const comparedSteps = 3;

/** What each result is, in order. */
export function resultNames({ mode, inputs, parameters }: Workload): string[] {
  if (mode === "forward") return ["output"];
  if (mode === "training") return ["losses"];
  const names = [...inputs.keys(), ...parameters.keys()];
  return ["loss", ...names.map((name) => `gradient of ${name}`)];
}
