/** `explain`: what evaluating some tensors would run, in words. */
import { currentDevice } from "./device/device.ts";
import { capture } from "./evaluate.ts";
import { fuseProgram } from "./program/fuse.ts";
import { lowerProgram } from "./program/lower.ts";
import { planProgram } from "./program/plan.ts";
import { printProgram } from "./program/program.ts";
import { resolve, type Tensor, Variable } from "./tensor.ts";

/** The fused program, the dispatches with their costs, and the memory of the plan. Nothing runs. */
export function explain(...targets: readonly Tensor[]): string {
  const tensors = targets.map(resolve).filter(({ source }) => source.kind === "node");
  const { program } = capture(
    tensors,
    targets.filter((target) => target instanceof Variable),
  );
  const fused = fuseProgram(program);
  const lowered = lowerProgram(fused, currentDevice().capabilities);
  const plan = planProgram(lowered);
  const mega = (value: number): string => (value / 1e6).toFixed(2);
  const dispatches = lowered.dispatches.map(({ label, workgroups, cost }) => {
    const work = cost ? `${mega(cost.flops)} MFLOP, ${mega(cost.bytes)} MB` : "";
    return `  ${label.padEnd(44)} ${workgroups.join("×").padEnd(16)} ${work}`;
  });
  const bytes = plan.slots.reduce((total, size) => total + size, 0);
  return [
    printProgram(fused),
    "",
    `${program.calls.length} calls, ${fused.calls.length} after fusion, ${dispatches.length} dispatches:`,
    ...dispatches,
    "",
    `intermediates: ${plan.slots.length} buffers, ${mega(bytes)} MB; at least ${mega(plan.liveBytes)} MB are alive at once`,
  ].join("\n");
}
