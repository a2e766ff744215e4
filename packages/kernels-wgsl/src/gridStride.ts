/** Loops over elements for kernels that do little with each: threads walk through them a whole dispatch apart. */
import { type Capabilities, grid, type Pass } from "./kernel.ts";
import { ceilDiv } from "./spec.ts";

const workgroupSize = 64;

/**
 * Workgroups and entry point that run `body` for every `i` below `count`; `bound` is `count` as WGSL (with the sizes that
 * pipelines share taken from `params`). Neighbouring threads take neighbouring elements. On a software adapter a thread costs
 * about as much as three loads to start, so each takes eight elements there; on a GPU one. `setup` runs once a thread, for what
 * all elements use.
 */
export function gridStride(
  { adapterClass }: Capabilities,
  count: number,
  bound: string,
  body: string,
  setup = "",
): Pick<Pass, "workgroups" | "code"> {
  const perThread = adapterClass === "software" ? 8 : 1;
  return {
    workgroups: grid(ceilDiv(count, perThread * workgroupSize)),
    code: /* wgsl */ `
@compute @workgroup_size(${workgroupSize})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
${setup}
  let threads = groups.x * groups.y * ${workgroupSize}u;
  for (var i = (group.y * groups.x + group.x) * ${workgroupSize}u + lane; i < ${bound}; i += threads) {
${body}
  }
}
`,
  };
}
