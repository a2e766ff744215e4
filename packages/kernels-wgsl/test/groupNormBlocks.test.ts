/** Group norm by workgroups that own blocks of channels, as GPUs run it: software adapters run here what they would never take. */
import type { Call, Capabilities, Case, Kernel, Shape } from "@ddad/kernels-wgsl";
import * as library from "@ddad/kernels-wgsl";
import { expect } from "chai";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import { compare, runVariant } from "./harness.ts";

const kernels = [library.groupNorm, library.groupNormGradient] as unknown as readonly Kernel[];
const name = "workgroup blocks";

const gpu = (capabilities: Capabilities): Capabilities => ({
  ...capabilities,
  adapterClass: "discrete",
  maxStorageBuffers: Math.max(9, capabilities.maxStorageBuffers),
});

/** A graphics card. */
const large: Capabilities = {
  adapterClass: "discrete",
  f16: true,
  subgroups: true,
  subgroupSizes: [32, 32],
  maxInvocations: 1024,
  workgroupMemory: 49152,
  maxStorageBuffers: 10,
};

const variantOf = (kernel: Kernel) => kernel.variants.find((variant) => variant.name === name)!;

/** Whether it is what runs. */
const taken = (kernel: Kernel, caps: Capabilities, call: Call): boolean =>
  library.usualVariants(kernel).find((variant) => library.admits(variant, caps, call)) === variantOf(kernel);

function prepare(kernel: Kernel, x: Shape, groups: number, f16: boolean) {
  const dtype = f16 ? "f16" : "f32";
  const channel = [x.at(-1)!];
  const fill = (_: number, uniform: () => number) => 0.5 + uniform();
  const statistic = { shape: [x[0]!, groups], fill };
  const inputs: Case["inputs"] = { x: { shape: x, dtype, fill }, weight: channel, bias: channel };
  const more: Case["inputs"] = { mean: statistic, rstd: statistic, gradient: { shape: x, dtype } };
  const isGradient = kernel.name === library.groupNormGradient.name;
  return library.prepareCase(kernel, {
    inputs: isGradient ? { ...inputs, ...more } : inputs,
    attrs: { groups, epsilon: 1e-5, activation: "silu" },
  });
}

function skipWithout(test: Mocha.Context, { capabilities }: ReturnType<typeof testDevice>, call: Call): void {
  const isF16 = Object.values(call.inputs).some((input) => input?.dtype === "f16");
  const lacks =
    isF16 && !capabilities.f16
      ? "has no shader-f16"
      : call.inputs["gradient"] && capabilities.maxStorageBuffers < 9
        ? "binds less than nine buffers"
        : undefined;
  if (!lacks) return;
  console.log(`    skipped: this adapter ${lacks}`);
  test.skip();
}

/** Cases of the kernels: groups of every kind, data that cancel. Few, because shaders take a while to compile on a CPU. */
const chosen: readonly string[] = [
  "groups of three in columns of four",
  "groups of two, one pixel",
  "groups of one, slab border + 1",
  "groups of four",
  "groups of five",
  "groups of eight, slab border − 1",
  "groups of twelve, more images than a subgroup has lanes",
  "groups of 64",
  "f16",
  "mean far from zero",
  "first pixel far from the others",
];

describe("group norm in blocks of workgroups", function () {
  this.timeout(60_000);
  const test = (
    kernel: Kernel,
    label: string,
    lanes: number,
    { call, values }: ReturnType<typeof prepare>,
    tolerance = 1e-5,
  ) => {
    it(`${kernel.name}: ${label}`, async function () {
      const device = testDevice();
      const caps = { ...gpu(device.capabilities), maxInvocations: lanes };
      skipWithout(this, device, call);
      expect(taken(kernel, caps, call)).to.equal(true);
      const got = await runVariant(device.gpu, caps, kernel, variantOf(kernel), call, values);
      const expected = kernel.reference(values, call);
      for (const [output, { dtype }] of Object.entries(call.outputs))
        compare(`${kernel.name}/${name}: ${output}`, got[output]!, expected[output]!, dtype, tolerance);
    });
  };
  for (const kernel of kernels) {
    for (const label of chosen) {
      const example = kernel.cases.find((one) => one.name === label);
      if (!example) continue;
      const prepared = library.prepareCase(kernel, example);
      // As few as can keep it, so that each has several pixels.
      const lanes = [32, 64, 128].find((count) =>
        taken(kernel, { ...large, maxInvocations: count }, prepared.call),
      );
      test(kernel, label, lanes ?? 256, prepared, example.tolerance);
    }
    // 16 lanes: a block of 12 channels has 4 rows, and lanes that have none.
    for (const pixels of [1, 3, 5, 8, 17, 32])
      test(kernel, `${pixels} pixels, four at once`, 16, prepare(kernel, [2, pixels, 24], 8, false));
    const most = 256;
    test(kernel, "all lanes, one pixel less", most, prepare(kernel, [1, 1023, 8], 2, false));
    test(kernel, "all lanes, f16", most, prepare(kernel, [1, 1024, 16], 4, true));
    test(kernel, "one group as wide as the lanes", most, prepare(kernel, [1, 8, 1024], 1, false));
    test(kernel, "many images", most, prepare(kernel, [130, 3, 128], 32, false));
    test(kernel, "many images, f16", most, prepare(kernel, [130, 3, 128], 32, true));
  }
});

describe("group norm in blocks of workgroups, as it is chosen", () => {
  const callOf = (kernel: Kernel, x: Shape, f16 = false, groups = 32): Call => {
    const dtype = f16 ? "f16" : "f32";
    const [features, channel] = [library.spec(x, dtype), library.spec([x.at(-1)!])];
    const statistic = library.spec([x[0]!, groups]);
    const named = { x: features, gradient: features, weight: channel, bias: channel };
    const inputs = Object.fromEntries(
      kernel.inputs.map((input) => [input, named[input as keyof typeof named] ?? statistic]),
    );
    const attrs = { groups, epsilon: 1e-5, activation: "silu" };
    return { inputs, attrs, ...kernel.infer(inputs, attrs) };
  };

  it("takes what a workgroup can keep", () => {
    for (const kernel of kernels) {
      for (const f16 of [false, true]) {
        const takes = (x: Shape, caps: Partial<Capabilities> = {}, groups?: number) =>
          taken(kernel, { ...large, ...caps }, callOf(kernel, x, f16, groups));
        expect(takes([1, 8, 8, 256])).to.equal(true);
        expect(takes([8, 32, 32, 384])).to.equal(true);
        expect(takes([1, 64, 64, 64])).to.equal(true);
        expect(takes([1, 128, 64, 64])).to.equal(true); // in rows of four channels
        expect(takes([1, 129, 64, 64])).to.equal(false);
        expect(takes([1, 128, 128, 64])).to.equal(false);
        expect(takes([1, 8, 10], {}, 5)).to.equal(false); // no columns of four channels
        // Fewer lanes keep less.
        expect(takes([1, 32, 32, 64], { maxInvocations: 256 })).to.equal(true);
        expect(takes([1, 64, 64, 64], { maxInvocations: 256 })).to.equal(false);
        expect(takes([1, 64, 64, 64], { workgroupMemory: 8192 })).to.equal(false);
        expect(takes([1, 8, 8, 256], { adapterClass: "software" })).to.equal(false);
      }
    }
    // The gradient binds nine buffers.
    const gradient = callOf(kernels[1]!, [1, 8, 8, 256]);
    expect(taken(kernels[1]!, { ...large, maxStorageBuffers: 8 }, gradient)).to.equal(false);
    expect(taken(kernels[1]!, { ...large, maxStorageBuffers: 9 }, gradient)).to.equal(true);
  });

  it("is one dispatch, and one more for the gradients of several images", () => {
    const passes = (kernel: Kernel, x: Shape) => variantOf(kernel).passes(large, callOf(kernel, x)).length;
    expect(passes(kernels[0]!, [1, 16, 16, 256])).to.equal(1);
    expect(passes(kernels[0]!, [8, 16, 16, 256])).to.equal(1);
    expect(passes(kernels[1]!, [1, 16, 16, 256])).to.equal(1);
    expect(passes(kernels[1]!, [8, 16, 16, 256])).to.equal(2);
  });

  it("makes rows of 32 bytes, and narrower ones where a workgroup keeps no more", () => {
    const workgroups = (x: Shape, f16 = false) =>
      variantOf(kernels[0]!).passes(large, callOf(kernels[0]!, x, f16))[0]!.workgroups[0];
    expect(workgroups([1, 32, 32, 128])).to.equal(16);
    expect(workgroups([1, 32, 32, 128], true)).to.equal(8);
    expect(workgroups([1, 64, 64, 128], true)).to.equal(16);
    expect(workgroups([128, 8, 8, 128])).to.equal(2048);
  });

  it("has one pipeline for channels and groups of any number", () => {
    const shaders = [64, 128, 192, 256, 384].flatMap((channels) =>
      [channels / 8, channels / 4].map((groups) => {
        const kernel = kernels[0]!;
        const call = callOf(kernel, [1, 32, 32, channels], false, groups);
        return library.assembleShader(kernel, variantOf(kernel).passes(large, call)[0]!).code;
      }),
    );
    expect(new Set(shaders).size).to.equal(1);
  });
});
