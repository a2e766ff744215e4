/** `y = Σ x²` over all elements, as [1]: a parameter's share of the global norm of the gradients. Deterministic. */
import { check } from "../errors.ts";
import { type Capabilities, defineKernel, perThread } from "../kernel.ts";
import { bytesOf, ceilDiv, sizeOf, spec } from "../spec.ts";

const workgroupSize = 64;

/** Workgroups of the first pass, each thread of which sums terms a whole dispatch apart. */
const groupsOf = ({ adapterClass }: Capabilities, size: number): number =>
  Math.min(adapterClass === "software" ? 16 : 256, ceilDiv(size, 4 * workgroupSize));

/** Input x of any shape, f32; output y [1]. */
export const sumOfSquares = defineKernel({
  name: "sumOfSquares",
  inputs: ["x"],
  outputs: ["y"],
  params: { size: "u32" },
  infer({ x }, _attrs: Record<string, never>) {
    check(x.dtype === "f32", "sumOfSquares", `x must be f32 but is ${x.dtype}; cast it first.`);
    return { outputs: { y: spec([1]) }, params: { size: sizeOf(x.shape) } };
  },
  variants: [
    {
      name: "split",
      scratch: (caps, { params }) => ({ partial: spec([groupsOf(caps, params.size) * workgroupSize]) }),
      passes(caps, { params }) {
        const width = params.size % 4 === 0 ? 4 : 1;
        const threads = groupsOf(caps, params.size) * workgroupSize;
        return [
          {
            label: "partial",
            read: { x: width === 4 ? "vec4<f32>" : "f32" },
            write: { partial: "f32" },
            workgroups: [threads / workgroupSize, 1, 1],
            code: perThread(
              workgroupSize,
              /* wgsl */ `
  var total = 0.0;
  for (var at = i; at < params.size / ${width}u; at += ${threads}u) {
    let value = x[at];
    total += ${width === 4 ? "dot(value, value)" : "value * value"};
  }
  partial[i] = total;`,
            ),
          },
          {
            label: "total",
            read: { partial: "f32" },
            write: { y: "f32" },
            workgroups: [1, 1, 1],
            code: /* wgsl */ `
var<workgroup> totals: array<f32, ${workgroupSize}>;
@compute @workgroup_size(${workgroupSize})
fn main(@builtin(local_invocation_index) lane: u32) {
  var total = 0.0;
  for (var at = lane; at < ${threads}u; at += ${workgroupSize}u) { total += partial[at]; }
  totals[lane] = total;
  workgroupBarrier();
  if (lane == 0u) {
    for (var other = 1u; other < ${workgroupSize}u; other++) { total += totals[other]; }
    y[0] = total;
  }
}`,
          },
        ];
      },
    },
  ],
  reference: ({ x }) => ({ y: Float64Array.of(x.reduce((total, value) => total + value ** 2, 0)) }),
  cost: ({ inputs }) => ({ flops: 2 * sizeOf(inputs.x.shape), bytes: bytesOf(inputs.x) }),
  cases: [
    { name: "a scalar", inputs: { x: [] }, attrs: {} },
    { name: "prime size", inputs: { x: [10007] }, attrs: {} },
    { name: "by four", inputs: { x: [3, 5, 4] }, attrs: {} },
    { name: "a convolution's gradient", inputs: { x: [3, 3, 128, 128] }, attrs: {}, bench: true },
    { name: "a large gradient", inputs: { x: [3, 3, 256, 512] }, attrs: {}, bench: true },
  ],
  refusals: [
    {
      inputs: { x: { shape: [3], dtype: "i32" } },
      attrs: {},
      message: /sumOfSquares: x must be f32 but is i32; cast it first/,
    },
  ],
});
