/** `y = total + Σ x²` over all elements of x: how the global norm of the gradients grows by one of them. Deterministic. */
import { check } from "../errors.ts";
import { type Capabilities, defineKernel, perThread } from "../kernel.ts";
import { bytesOf, ceilDiv, sameShape, show, sizeOf, spec } from "../spec.ts";

const workgroupSize = 64;

/** Workgroups of the first pass, each thread of which sums terms a whole dispatch apart. */
const groupsOf = ({ adapterClass }: Capabilities, size: number): number =>
  Math.min(adapterClass === "software" ? 16 : 256, ceilDiv(size, 4 * workgroupSize));

/** Inputs x of any shape and total [1], both f32; output y [1]. */
export const sumOfSquares = defineKernel({
  name: "sumOfSquares",
  inputs: ["x", "total"],
  outputs: ["y"],
  packs: { shared: [], carry: ["total", "y"] },
  params: { size: "u32" },
  infer({ x, total }, _attrs: Record<string, never>) {
    for (const [name, { dtype }] of Object.entries({ x, total }))
      check(dtype === "f32", "sumOfSquares", () => `${name} must be f32 but is ${dtype}; cast it first.`);
    check(
      sameShape(total.shape, [1]),
      "sumOfSquares",
      () => `total must be [1] but is ${show(total.shape)}.`,
    );
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
  var sum = 0.0;
  for (var at = i; at < params.size / ${width}u; at += ${threads}u) {
    let value = x[at];
    sum += ${width === 4 ? "dot(value, value)" : "value * value"};
  }
  partial[i] = sum;`,
            ),
          },
          {
            label: "total",
            read: { partial: "f32", total: "f32" },
            write: { y: "f32" },
            workgroups: [1, 1, 1],
            code: /* wgsl */ `
var<workgroup> sums: array<f32, ${workgroupSize}>;
@compute @workgroup_size(${workgroupSize})
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var at = lane; at < ${threads}u; at += ${workgroupSize}u) { sum += partial[at]; }
  sums[lane] = sum;
  workgroupBarrier();
  if (lane == 0u) {
    for (var other = 1u; other < ${workgroupSize}u; other++) { sum += sums[other]; }
    y[0] = total[0] + sum;
  }
}`,
          },
        ];
      },
    },
  ],
  reference: ({ x, total }) => ({
    y: Float64Array.of(x.reduce((sum, value) => sum + value ** 2, total[0]!)),
  }),
  cost: ({ inputs }) => ({ flops: 2 * sizeOf(inputs.x.shape), bytes: bytesOf(inputs.x) }),
  cases: [
    { name: "a scalar", inputs: { x: [], total: [1] }, attrs: {} },
    { name: "prime size", inputs: { x: [10007], total: [1] }, attrs: {} },
    { name: "by four", inputs: { x: [3, 5, 4], total: [1] }, attrs: {} },
    { name: "a convolution's gradient", inputs: { x: [3, 3, 128, 128], total: [1] }, attrs: {}, bench: true },
    { name: "a large gradient", inputs: { x: [3, 3, 256, 512], total: [1] }, attrs: {}, bench: true },
  ],
  refusals: [
    {
      inputs: { x: { shape: [3], dtype: "i32" }, total: [1] },
      attrs: {},
      message: /sumOfSquares: x must be f32 but is i32; cast it first/,
    },
    {
      inputs: { x: [3], total: [2] },
      attrs: {},
      message: /sumOfSquares: total must be \[1\] but is \[2\]/,
    },
  ],
});
