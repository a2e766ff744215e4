/** Group norm by workgroups that own blocks of channels, as GPUs run it: software adapters run here what they would never take. */
import type { Call, Capabilities, Case, Kernel, Shape } from "@ddad/kernels-wgsl";
import * as library from "@ddad/kernels-wgsl";
import { expect } from "chai";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import { compare, runVariant } from "./harness.ts";

const kernels = [library.groupNorm, library.groupNormGradient] as unknown as readonly Kernel[];
const usual = "workgroup blocks";
const measured = "workgroup blocks, by measurement";

const gpu = (capabilities: Capabilities): Capabilities => ({
  ...capabilities,
  adapterClass: "discrete",
  maxStorageBuffers: Math.max(9, capabilities.maxStorageBuffers),
});

/** The variant of that kind that takes a call, by its name. */
const admitted = (kernel: Kernel, caps: Capabilities, call: Call): string | undefined =>
  [usual, measured].find((name) =>
    library.admits(kernel.variants.find((variant) => variant.name === name)!, caps, call),
  );

function prepare(kernel: Kernel, x: Shape, groups: number, halves: boolean) {
  const dtype = halves ? "f16" : "f32";
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
  const halves = Object.values(call.inputs).some((input) => input?.dtype === "f16");
  const lacks =
    halves && !capabilities.f16
      ? "has no shader-f16"
      : call.inputs["gradient"] && capabilities.maxStorageBuffers < 9
        ? "binds less than nine buffers"
        : undefined;
  if (!lacks) return;
  console.log(`    skipped: this adapter ${lacks}`);
  test.skip();
}

/** Cases of the kernels, each on 128 lanes: groups of every kind, data that cancel. Few, because each compiles for a second on a CPU. */
const chosen: readonly (readonly [example: string, name: string])[] = [
  ["groups of three in columns of four", usual],
  ["groups of two, one pixel", usual],
  ["groups of one, slab border + 1", usual],
  ["groups of four", usual],
  ["groups of five", usual],
  ["groups of eight, slab border − 1", usual],
  ["groups of twelve, more images than a subgroup has lanes", usual],
  ["groups of 64", usual],
  ["halves", usual],
  ["mean far from zero", usual],
  ["first pixel far from the others", measured],
];

/**
 * Pixels of a lane around what is kept: all of x̂ and the gradient at z up to 4, the latter up to 8, nothing beyond. With 16 lanes a
 * block of 8 channels has 8 rows.
 */
const borders: readonly (readonly [pixels: number, name: string])[] = [
  [7, usual],
  [9, usual],
  [32, usual],
  [33, usual],
  [64, usual],
  [65, measured],
];

describe("group norm in blocks of workgroups", function () {
  this.timeout(60_000);
  const test = (
    kernel: Kernel,
    label: string,
    name: string,
    lanes: number,
    prepared: ReturnType<typeof prepare>,
    tolerance?: number,
  ) => {
    it(`${kernel.name}: ${label}`, async function () {
      const device = testDevice();
      const caps = { ...gpu(device.capabilities), maxInvocations: lanes };
      skipWithout(this, device, prepared.call);
      expect(admitted(kernel, caps, prepared.call)).to.equal(name);
      await check(kernel, name, caps, prepared, tolerance);
    });
  };
  for (const kernel of kernels) {
    for (const [label, name] of chosen) {
      const example = kernel.cases.find((one) => one.name === label);
      if (example) test(kernel, label, name, 128, library.prepareCase(kernel, example), example.tolerance);
    }
    for (const [pixels, name] of borders)
      test(kernel, `${pixels} pixels, eight at once`, name, 16, prepare(kernel, [2, pixels, 24], 12, false));
    const most = 256;
    test(kernel, "all lanes, one pixel less", usual, most, prepare(kernel, [1, 1023, 8], 2, false));
    test(kernel, "all lanes, halves", usual, most, prepare(kernel, [1, 1024, 16], 4, true));
    test(kernel, "one wide group", measured, most, prepare(kernel, [1, 50, 1024], 1, false));
    test(kernel, "many images", usual, most, prepare(kernel, [130, 3, 128], 32, false));
    test(kernel, "many images, halves", usual, most, prepare(kernel, [130, 3, 128], 32, true));
  }

  it("is not offered where channels are no multiple of four", () => {
    for (const kernel of kernels) {
      const { call } = prepare(kernel, [1, 8, 10], 5, false);
      expect(admitted(kernel, gpu(testDevice().capabilities), call)).to.equal(undefined);
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
  const callOf = (kernel: Kernel, x: Shape, halves = false): Call => {
    const dtype = halves ? "f16" : "f32";
    const [features, channel] = [library.spec(x, dtype), library.spec([x.at(-1)!])];
    const statistic = library.spec([x[0]!, 32]);
    const named = { x: features, gradient: features, weight: channel, bias: channel };
    const inputs = Object.fromEntries(
      kernel.inputs.map((input) => [input, named[input as keyof typeof named] ?? statistic]),
    );
    const attrs = { groups: 32, epsilon: 1e-5, activation: "silu" };
    return { inputs, attrs, ...kernel.infer(inputs, attrs) };
  };

  it("takes maps that the lanes can keep, and leaves larger ones to measuring", () => {
    for (const kernel of kernels) {
      for (const halves of [false, true]) {
        const nameOf = (x: Shape, caps = large) => admitted(kernel, caps, callOf(kernel, x, halves));
        expect(nameOf([1, 8, 8, 256])).to.equal(usual);
        expect(nameOf([8, 32, 32, 384])).to.equal(usual);
        expect(nameOf([1, 64, 64, 64])).to.equal(usual);
        expect(nameOf([1, 65, 64, 64])).to.equal(measured);
        expect(nameOf([1, 128, 128, 64])).to.equal(measured);
        expect(nameOf([1, 256, 256, 64])).to.equal(undefined);
        // Fewer lanes keep less.
        expect(nameOf([1, 32, 32, 64], { ...large, maxInvocations: 256 })).to.equal(usual);
        expect(nameOf([1, 64, 64, 64], { ...large, maxInvocations: 256 })).to.equal(measured);
        expect(nameOf([1, 64, 64, 64], { ...large, workgroupMemory: 16384 })).to.equal(measured);
        expect(nameOf([1, 8, 8, 256], { ...large, adapterClass: "software" })).to.equal(undefined);
      }
    }
    expect(
      admitted(kernels[1]!, { ...large, maxStorageBuffers: 8 }, callOf(kernels[1]!, [1, 8, 8, 256])),
    ).to.equal(undefined);
  });

  it("is one dispatch, and one more for the gradients of several images", () => {
    for (const [kernel, images, count] of [
      [kernels[0]!, 1, 1],
      [kernels[0]!, 8, 1],
      [kernels[1]!, 1, 1],
      [kernels[1]!, 8, 2],
    ] as const) {
      const call = callOf(kernel, [images, 16, 16, 256]);
      const [first] = library.usualVariants(kernel).filter((variant) => library.admits(variant, large, call));
      expect(first!.name).to.equal(usual);
      expect(first!.passes(large, call)).to.have.length(count);
    }
  });

  it("makes rows of 32 bytes, and wider ones where there are workgroups enough", () => {
    const workgroups = (x: Shape, halves = false) => {
      const call = callOf(kernels[0]!, x, halves);
      const name = admitted(kernels[0]!, large, call);
      return kernels[0]!.variants.find((variant) => variant.name === name)!.passes(large, call)[0]!
        .workgroups[0];
    };
    expect(workgroups([1, 32, 32, 128])).to.equal(16);
    expect(workgroups([1, 32, 32, 128], true)).to.equal(8);
    expect(workgroups([1, 64, 64, 128], true)).to.equal(16); // rows of 32 bytes have too many pixels for a lane
    expect(workgroups([128, 8, 8, 128])).to.equal(512);
    expect(workgroups([64, 8, 8, 128])).to.equal(512);
    expect(workgroups([32, 8, 8, 128])).to.equal(512);
  });
});
