/** `explain`: what evaluating some tensors would run. */
import { currentDevice } from "./device/device.ts";
import { capture, pendingOf } from "./evaluate.ts";
import { planFor } from "./plans.ts";
import { describePlan } from "./program/describe.ts";
import type { AnyTensor } from "./tensor.ts";

/** The fused program, the dispatches with their costs, and the memory of the plan, as text. Nothing runs. */
export function explain(...targets: readonly AnyTensor[]): string {
  const { program } = capture(...pendingOf(targets));
  const { fused, lowered, plan } = planFor(currentDevice(), program);
  return describePlan(program, fused, lowered, plan);
}
