/** A plan as text. */
import type { Lowered } from "./lower.ts";
import type { Plan } from "./plan.ts";
import { type Program, printProgram } from "./program.ts";

const mega = (value: number): string => (value / 1e6).toFixed(2);

/** The fused program, its dispatches with their costs, and the memory they need between them. */
export function describePlan(recorded: Program, fused: Program, lowered: Lowered, plan: Plan): string {
  const dispatches = lowered.dispatches.map(({ label, workgroups, cost }) => {
    const work = cost ? `${mega(cost.flops)} MFLOP, ${mega(cost.bytes)} MB` : "";
    return `  ${label.padEnd(44)} ${workgroups.join("×").padEnd(16)} ${work}`;
  });
  const bytes = plan.slots.reduce((total, size) => total + size, 0);
  return [
    printProgram(fused),
    "",
    `${recorded.calls.length} calls, ${fused.calls.length} after fusion, ${dispatches.length} dispatches:`,
    ...dispatches,
    "",
    `intermediates: ${plan.slots.length} buffers, ${mega(bytes)} MB; at least ${mega(plan.liveBytes)} MB are alive at once`,
  ].join("\n");
}
