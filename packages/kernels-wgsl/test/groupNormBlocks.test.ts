/** Group norm by workgroups that own blocks of channels, as GPUs run it: software adapters run here what they would never take. */
import type { Call, Capabilities, Case, Kernel, Shape } from "@ddad/kernels-wgsl";
import * as library from "@ddad/kernels-wgsl";
import { expect } from "chai";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import { compare, runVariant } from "./harness.ts";

const kernels = [library.groupNorm, library.groupNormGradient] as unknown as readonly Kernel[];
const blocks = "workgroup blocks";
const slabs = "workgroup slabs";
const measuredBlocks = "workgroup blocks, autotuned";
const measuredSlabs = "workgroup slabs, autotuned";

const gpu = (capabilities: Capabilities): Capabilities => ({
  ...capabilities,
  adapterClass: "discrete",
  maxStorageBuffers: Math.max(10, capabilities.maxStorageBuffers),
});

/** The variants of that kind that take a call, by their names. */
const admitted = (kernel: Kernel, caps: Capabilities, call: Call): string[] =>
  kernel.variants
    .filter(({ name }) => name.startsWith(blocks) || name.startsWith(slabs))
    .filter((variant) => library.admits(variant, caps, call))
    .map(({ name }) => name);

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

async function check(
  kernel: Kernel,
  name: string,
  caps: Capabilities,
  { call, values }: ReturnType<typeof prepare>,
  tolerance = 1e-5,
): Promise<void> {
  const { gpu: device } = testDevice();
  const variant = kernel.variants.find((one) => one.name === name)!;
  const got = await runVariant(device, caps, kernel, variant, call, values);
  const expected = kernel.reference(values, call);
  for (const [output, { dtype }] of Object.entries(call.outputs))
    compare(`${kernel.name}/${name}: ${output}`, got[output]!, expected[output]!, dtype, tolerance);
}

function skipWithout(test: Mocha.Context, { capabilities }: ReturnType<typeof testDevice>, call: Call): void {
  const isF16 = Object.values(call.inputs).some((input) => input?.dtype === "f16");
  const lacks =
    isF16 && !capabilities.f16
      ? "has no shader-f16"
      : call.inputs["gradient"] && capabilities.maxStorageBuffers < 10
        ? "binds less than ten buffers"
        : undefined;
  if (!lacks) return;
  console.log(`    skipped: this adapter ${lacks}`);
  test.skip();
}

/** Cases of the kernels, each on 32 lanes: groups of every kind, data that cancel. Few, because each compiles for a second on a CPU. */
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

/**
 * Pixels of a lane around what is kept: all of x̂ and the gradient at z up to 4, the latter up to 8, nothing beyond. With 16 lanes a
 * block of 8 channels has 8 rows, and slabs of 24 channels have 16 pixels in two rows.
 */
const borders: readonly (readonly [pixels: number, ...names: string[]])[] = [
  [7, blocks],
  [17, slabs],
  [32, blocks, slabs],
  [33, blocks],
  [64, blocks],
  [65, measuredBlocks],
];

describe("group norm in blocks of workgroups", function () {
  this.timeout(60_000);
  const test = (
    kernel: Kernel,
    label: string,
    lanes: number,
    prepared: ReturnType<typeof prepare>,
    names?: readonly string[],
    tolerance?: number,
  ) => {
    it(`${kernel.name}: ${label}`, async function () {
      const device = testDevice();
      const caps = { ...gpu(device.capabilities), maxInvocations: lanes };
      skipWithout(this, device, prepared.call);
      const found = admitted(kernel, caps, prepared.call);
      expect(found).to.not.be.empty;
      if (names) expect(found).to.include.members([...names]);
      // Unless variants are named, the one that is taken.
      for (const name of names ?? found.slice(0, 1)) await check(kernel, name, caps, prepared, tolerance);
    });
  };
  for (const kernel of kernels) {
    for (const label of chosen) {
      const example = kernel.cases.find(({ name }) => name === label);
      if (example)
        test(kernel, label, 32, library.prepareCase(kernel, example), undefined, example.tolerance);
    }
    for (const [pixels, ...names] of borders)
      test(kernel, `${pixels} pixels, eight at once`, 16, prepare(kernel, [2, pixels, 24], 12, false), names);
    const most = 256;
    test(kernel, "all lanes, one pixel less", most, prepare(kernel, [1, 1023, 8], 2, false), [blocks]);
    test(kernel, "all lanes, f16", most, prepare(kernel, [1, 1024, 16], 4, true), [blocks]);
    test(kernel, "one wide group", most, prepare(kernel, [1, 50, 1024], 1, false), [slabs]);
    test(kernel, "many images", most, prepare(kernel, [130, 3, 128], 32, false), [blocks]);
    test(kernel, "many images, f16", most, prepare(kernel, [130, 3, 128], 32, true), [blocks]);
    test(kernel, "slabs of one image, f16", 32, prepare(kernel, [1, 259, 64], 32, true), [slabs]);
    test(kernel, "slabs for more rows than one adds up", 32, prepare(kernel, [2, 1100, 8], 4, false), [
      slabs,
    ]);
  }

  it("is not offered where channels are no multiple of four", () => {
    for (const kernel of kernels) {
      const { call } = prepare(kernel, [1, 8, 10], 5, false);
      expect(admitted(kernel, gpu(testDevice().capabilities), call)).to.deep.equal([]);
    }
  });
});

describe("group norm in blocks of workgroups, as it is chosen", () => {
  const large: Capabilities = {
    adapterClass: "discrete",
    f16: true,
    subgroups: true,
    subgroupSizes: [32, 32],
    maxInvocations: 1024,
    workgroupMemory: 49152,
    maxStorageBuffers: 10,
  };
  const callOf = (kernel: Kernel, x: Shape, f16 = false): Call => {
    const dtype = f16 ? "f16" : "f32";
    const [features, channel] = [library.spec(x, dtype), library.spec([x.at(-1)!])];
    const statistic = library.spec([x[0]!, 32]);
    const named = { x: features, gradient: features, weight: channel, bias: channel };
    const inputs = Object.fromEntries(
      kernel.inputs.map((input) => [input, named[input as keyof typeof named] ?? statistic]),
    );
    const attrs = { groups: 32, epsilon: 1e-5, activation: "silu" };
    return { inputs, attrs, ...kernel.infer(inputs, attrs) };
  };

  it("takes maps that the lanes can keep, slabs of those that stay in caches, and leaves the rest to autotuning", () => {
    for (const kernel of kernels) {
      for (const f16 of [false, true]) {
        const namesOf = (x: Shape, caps = large) => admitted(kernel, caps, callOf(kernel, x, f16));
        expect(namesOf([1, 8, 8, 256])).to.deep.equal([blocks]);
        expect(namesOf([8, 32, 32, 384])[0]).to.equal(blocks);
        expect(namesOf([1, 64, 64, 64])).to.deep.equal([blocks, slabs]);
        expect(namesOf([1, 65, 64, 64])).to.deep.equal([slabs, measuredBlocks]);
        expect(namesOf([1, 128, 128, 64])).to.deep.equal([slabs, measuredBlocks]);
        expect(namesOf([1, 256, 256, 128])).to.deep.equal([slabs]);
        expect(namesOf([2, 256, 256, 128])).to.deep.equal([measuredSlabs]);
        // Fewer lanes keep less.
        expect(namesOf([1, 32, 32, 64], { ...large, maxInvocations: 256 })[0]).to.equal(blocks);
        expect(namesOf([1, 64, 64, 64], { ...large, maxInvocations: 256 })).to.not.include(blocks);
        expect(namesOf([1, 64, 64, 64], { ...large, workgroupMemory: 16384 })).to.not.include(blocks);
        expect(namesOf([1, 8, 8, 256], { ...large, adapterClass: "software" })).to.deep.equal([]);
        expect(namesOf([1, 256, 256, 64], { ...large, adapterClass: "software" })).to.deep.equal([]);
      }
    }
    const gradient = (x: Shape, maxStorageBuffers: number) =>
      admitted(kernels[1]!, { ...large, maxStorageBuffers }, callOf(kernels[1]!, x));
    expect(gradient([1, 8, 8, 256], 8)).to.deep.equal([]);
    expect(gradient([1, 8, 8, 256], 9)).to.deep.equal([blocks]);
    expect(gradient([1, 256, 256, 64], 9)).to.deep.equal([]);
  });

  it("is one dispatch, two for slabs, and one more for the gradients of several images", () => {
    for (const [kernel, x, count] of [
      [kernels[0]!, [1, 16, 16, 256], 1],
      [kernels[0]!, [8, 16, 16, 256], 1],
      [kernels[0]!, [1, 256, 256, 64], 2],
      [kernels[1]!, [1, 16, 16, 256], 1],
      [kernels[1]!, [8, 16, 16, 256], 2],
      [kernels[1]!, [1, 256, 256, 64], 2],
      [kernels[1]!, [2, 256, 256, 64], 3],
    ] as const) {
      const call = callOf(kernel, x);
      const [first] = library.usualVariants(kernel).filter((variant) => library.admits(variant, large, call));
      expect(first!.name).to.be.oneOf([blocks, slabs]);
      expect(first!.passes(large, call)).to.have.length(count);
    }
  });

  it("makes rows of 32 bytes, and wider ones where enough workgroups remain", () => {
    const workgroups = (x: Shape, f16 = false) => {
      const call = callOf(kernels[0]!, x, f16);
      const [name] = admitted(kernels[0]!, large, call);
      return kernels[0]!.variants.find((variant) => variant.name === name)!.passes(large, call)[0]!
        .workgroups[0];
    };
    expect(workgroups([1, 32, 32, 128])).to.equal(16);
    expect(workgroups([1, 32, 32, 128], true)).to.equal(8);
    expect(workgroups([1, 64, 64, 128], true)).to.equal(16); // rows of 32 bytes have too many pixels for a lane
    expect(workgroups([128, 8, 8, 128])).to.equal(512);
    expect(workgroups([64, 8, 8, 128])).to.equal(512);
    expect(workgroups([32, 8, 8, 128])).to.equal(512);
    // Slabs have rows of 128 bytes, and are cut until each multiprocessor has one.
    expect(workgroups([1, 256, 256, 64])).to.equal(2 * 128);
    expect(workgroups([1, 128, 128, 64])).to.equal(2 * 64);
  });
});
