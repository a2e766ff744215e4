/** `explain`: what evaluating some tensors would run. */
import { currentDevice } from "./device/device.ts";
import { capture, planFor } from "./evaluate.ts";
import { describePlan } from "./program/describe.ts";
import { resolve, type Tensor, Variable } from "./tensor.ts";

/** The fused program, the dispatches with their costs, and the memory of the plan, as text. Nothing runs. */
export function explain(...targets: readonly Tensor[]): string {
  const tensors = targets.map(resolve).filter(({ source }) => source.kind === "node");
  const variables = targets.filter((target) => target instanceof Variable).filter(({ pending }) => pending);
  const { program } = capture(tensors, variables);
  const { fused, lowered, plan } = planFor(currentDevice(), program);
  return describePlan(program, fused, lowered, plan);
}
