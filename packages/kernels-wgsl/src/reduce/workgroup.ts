/** WGSL for reductions inside a workgroup. */

/**
 * A function `name(value, lane)` that combines the values of all lanes with `combine` (an expression of `a` and `b`) and
 * returns the result to every lane. Call it in uniform control flow. `lanes` is a power of two.
 */
export const workgroupFold = (
  name: string,
  lanes: number,
  type: string,
  combine = "a + b",
): string => /* wgsl */ `
var<workgroup> ${name}Lanes: array<${type}, ${lanes}>;
fn ${name}(value: ${type}, lane: u32) -> ${type} {
  ${name}Lanes[lane] = value;
  workgroupBarrier();
  for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {
    if (lane < half) {
      let a = ${name}Lanes[lane];
      let b = ${name}Lanes[lane + half];
      ${name}Lanes[lane] = ${combine};
    }
    workgroupBarrier();
  }
  let result = ${name}Lanes[0];
  workgroupBarrier();
  return result;
}
`;

/** An entry point with one workgroup per item: `body` sees `item`, which `items` bounds, and `lane`. */
export const perWorkgroup = (lanes: number, items: string, body: string): string => /* wgsl */ `
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let item = group.y * groups.x + group.x;
  if (item >= ${items}) { return; }
${body}
}
`;
