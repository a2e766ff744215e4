/**
 * The demands of every pass on an adapter, held to the limits of adapters that are not present: workgroups, threads of a workgroup,
 * workgroup memory, bindings. Nothing runs here, so calls may be as large as those of a UNet for 32 images of 256².
 */
import type { Call, Capabilities, CaseInput, DType, Kernel, Pass, Shape } from "@ddad/kernels-wgsl";
import * as library from "@ddad/kernels-wgsl";
import { admits, isEmptyCall, kernels, spec } from "@ddad/kernels-wgsl";
import { expect } from "chai";

const least: Capabilities = {
  adapterClass: "integrated",
  f16: true,
  subgroups: false,
  subgroupSizes: [0, 0],
  maxInvocations: 256,
  workgroupMemory: 16384,
  maxStorageBuffers: 8,
};
const unit = (m: number, lanes: number) => ({ m, n: 16, k: 16, lanes });

/** What WebGPU promises everywhere, and what is known of GPUs; the same for CPUs that pretend to be one. */
const adapters: Readonly<Record<string, Capabilities>> = {
  "the least": least,
  "the least, with a matrix unit": { ...least, subgroupMatrix: unit(16, 32) },
  "the least, on a CPU": { ...least, adapterClass: "software" },
  "lanes of a CPU": { ...least, adapterClass: "software", subgroups: true, subgroupSizes: [16, 16] },
  NVIDIA: {
    ...least,
    adapterClass: "discrete",
    ...{ subgroups: true, subgroupSizes: [32, 32] },
    ...{ maxInvocations: 1024, workgroupMemory: 49152, maxStorageBuffers: 16 },
    subgroupMatrix: unit(16, 32),
  },
  Apple: {
    ...least,
    ...{ subgroups: true, subgroupSizes: [32, 32] },
    ...{ maxInvocations: 1024, workgroupMemory: 32768, maxStorageBuffers: 10 },
    subgroupMatrix: { m: 8, n: 8, k: 8, lanes: 32 },
  },
};

const bytesOfType: Readonly<Record<string, number>> = {
  f16: 2,
  f32: 4,
  i32: 4,
  u32: 4,
  vec2f: 8,
  vec4f: 16,
};

/** Bytes of the variables of a workgroup, each of which starts at a multiple of 16 here; NaN where one cannot be read. */
function workgroupBytes(code: string): number {
  const aliases = new Map(
    [...code.matchAll(/alias (\w+) = ([^;]+);/g)].map(([, name, type]) => [name, type!]),
  );
  const sizes = [...code.matchAll(/var<workgroup> \w+: ([^;]+);/g)].map(([, type]) => {
    const [, element = "", count] = /^array<(.+), (\d+)>$/.exec(type!) ?? [];
    const scalar = (aliases.get(element) ?? element).replace(/vec4<(f32|i32|u32)>/, "vec4f");
    return Math.ceil(((bytesOfType[scalar] ?? Number.NaN) * Number(count)) / 16) * 16;
  });
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** What a pass asks for beyond the limits. */
function excess({ code, workgroups, read, write }: Pass, caps: Capabilities): string[] {
  const threads = Number(/@workgroup_size\((\d+)\)/.exec(code)![1]);
  const bindings = Object.keys(read).length + Object.keys(write).length;
  const asked: readonly (readonly [what: string, count: number, most: number])[] = [
    ...workgroups.map((count) => ["workgroups", count, 65535] as const),
    ["threads", threads, caps.maxInvocations],
    ["bytes of workgroup memory", workgroupBytes(code), caps.workgroupMemory],
    ["bindings", bindings, caps.maxStorageBuffers],
  ];
  return asked
    .filter(([, count, most]) => !(Number.isInteger(count) && count <= most))
    .map(([what, count, most]) => `${count} ${what} of ${most}`);
}

function check(kernel: Kernel, call: Call, label: string): number {
  let passes = 0;
  for (const [name, caps] of Object.entries(adapters)) {
    for (const variant of kernel.variants.filter((one) => admits(one, caps, call))) {
      for (const pass of variant.passes(caps, call)) {
        expect(excess(pass, caps), `${kernel.name}/${variant.name} on ${name}: ${label}`).to.deep.equal([]);
        passes++;
      }
    }
  }
  return passes;
}

const callOf = (
  kernel: Kernel,
  inputs: Readonly<Record<string, readonly [Shape, (DType | undefined)?]>>,
  attrs: unknown,
): Call => {
  const specs = Object.fromEntries(
    Object.entries(inputs).map(([name, [shape, dtype]]) => [name, spec(shape, dtype)]),
  );
  return { inputs: specs, attrs, ...kernel.infer(specs, attrs) };
};

const image = [32, 256, 256, 128];
const gradient = [32, 256, 256, 64];
const window = { stride: 1, padding: [1, 1, 1, 1] };
const norm = { groups: 32, epsilon: 1e-5, activation: "silu" };
const statistics = [32, 32];

/** In f32 and, where allowed, in f16. */
const large = (
  dtype: DType,
): readonly [kernel: unknown, inputs: Parameters<typeof callOf>[1], attrs: unknown][] => [
  [library.conv2d, { x: [image, dtype], weight: [[3, 3, 128, 64], dtype], bias: [[64]] }, window],
  [library.conv2d, { x: [image, dtype], weight: [[3, 3, 128, 3], dtype] }, window],
  [
    library.conv2dInputGradient,
    { gradient: [gradient, dtype], weight: [[3, 3, 128, 64], dtype] },
    { ...window, inputSize: [256, 256] },
  ],
  [
    library.conv2dWeightGradient,
    { x: [image, dtype], gradient: [gradient, dtype] },
    { ...window, kernelSize: [3, 3] },
  ],
  [
    library.matmul,
    { a: [[32 * 65536, 128], dtype], b: [[128, 64], dtype] },
    { transposeA: false, transposeB: false },
  ],
  [
    library.matmul,
    { a: [[32 * 65536, 128], dtype], b: [[32 * 65536, 64], dtype] },
    { transposeA: true, transposeB: false },
  ],
  [library.groupNorm, { x: [image, dtype], weight: [[128]], bias: [[128]] }, norm],
  [
    library.groupNormGradient,
    {
      x: [image, dtype],
      weight: [[128]],
      bias: [[128]],
      mean: [statistics],
      rstd: [statistics],
      gradient: [image, dtype],
    },
    norm,
  ],
  [library.attentionPacked, { qkv: [[32, 4096, 4, 192], dtype] }, { scale: 0.125 }],
  [
    library.attentionPackedGradient,
    {
      qkv: [[32, 4096, 4, 192], dtype],
      y: [[32, 4096, 4, 64], dtype],
      logSumExp: [[32, 4, 4096]],
      gradient: [[32, 4096, 4, 64], dtype],
    },
    { scale: 0.125 },
  ],
  [library.sum, { x: [image, dtype] }, { axes: [0, 1, 2] }],
  [library.sum, { x: [image, dtype] }, { axes: [3] }],
  [library.sum, { x: [image, dtype] }, { axes: [0, 1, 2, 3] }],
  [library.concat, { a: [image, dtype], b: [gradient, dtype] }, { axis: 3 }],
  [library.upsampleNearest2, { x: [[32, 128, 128, 128], dtype] }, {}],
  [library.averagePool2, { x: [image, dtype] }, {}],
];

describe("limits of adapters", () => {
  for (const kernel of kernels as readonly Kernel[]) {
    it(`${kernel.name}: every variant of every case`, () => {
      for (const { name, inputs, attrs } of kernel.cases) {
        const given = Object.entries(inputs).map(([input, value]) => {
          const { shape, dtype } = (Array.isArray(value) ? { shape: value } : value) as CaseInput;
          return [input, [shape, dtype]] as const;
        });
        const call = callOf(kernel, Object.fromEntries(given), attrs);
        if (!isEmptyCall(call)) expect(check(kernel, call, name)).to.be.above(0);
      }
    });
  }

  for (const dtype of ["f32", "f16"] as const) {
    it(`32 images of 256², ${dtype}`, () => {
      for (const [kernel, inputs, attrs] of large(dtype)) {
        const call = callOf(kernel as Kernel, inputs, attrs);
        expect(check(kernel as Kernel, call, JSON.stringify(inputs))).to.be.above(0);
      }
    });
  }

  it("are noticed where a pass asks for more", () => {
    const code = "var<workgroup> piece: array<vec4f, 1025>;\n@compute @workgroup_size(512)\nfn main() {}";
    const pass = { read: { x: "f32" }, write: { y: "f32" }, workgroups: [65536, 1, 1], code } as const;
    expect(excess(pass, { ...least, maxStorageBuffers: 1 })).to.deep.equal([
      "65536 workgroups of 65535",
      "512 threads of 256",
      "16400 bytes of workgroup memory of 16384",
      "2 bindings of 1",
    ]);
  });
});
