import { admits, assembleShader, type Capabilities, cosineDistance, spec } from "@ddad/kernels-wgsl";

// One use of a kernel: shapes in, shapes and the uniform's numbers out. A wrong shape throws a sentence.
const inputs = { a: spec([2, 3]), b: spec([2, 3]) };
const attrs = { epsilon: 1e-8 };
const call = { inputs, attrs, ...cosineDistance.infer(inputs, attrs) };
console.log("output", call.outputs.y.shape, "flops", cosineDistance.cost(call).flops);

// The definition of correct: plain loops in f64.
const values = { a: Float64Array.of(1, 0, 0, 1, 1, 0), b: Float64Array.of(1, 0, 0, 0, 0, 5) };
console.log("distances", [...cosineDistance.reference(values, call).y]); // 0 1

// What runs on an adapter: the first variant that it admits, as complete WGSL.
const adapter: Capabilities = {
  ...{ adapterClass: "discrete", f16: true, subgroups: true, subgroupSizes: [32, 32] },
  ...{ maxInvocations: 256, workgroupMemory: 16384, maxStorageBuffers: 8 },
};
const variant = cosineDistance.variants.find((one) => admits(one, adapter, call))!;
for (const pass of variant.passes(adapter, call)) console.log(assembleShader(cosineDistance, pass).code);
