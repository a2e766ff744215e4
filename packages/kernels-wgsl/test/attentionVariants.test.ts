/**
 * Attention as matrix products on GPUs, which only `tune` takes: software adapters run here what they would never take, with the
 * tiles of a GPU and with an emulated matrix unit.
 */
import type { Capabilities, Case, Kernel } from "@ddad/kernels-wgsl";
import * as library from "@ddad/kernels-wgsl";
import { expect } from "chai";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import { compare, runVariant } from "./harness.ts";

const forward = [library.attention, library.attentionPacked] as unknown as readonly Kernel[];
const gradients = [
  library.attentionGradient,
  library.attentionPackedGradient,
] as unknown as readonly Kernel[];
const name = "matrix products, autotuned";

/** The large unit keeps the shaders short: each compiles for seconds on a CPU. */
const unit = { m: 16, n: 16, k: 16, lanes: 64, emulated: true };
const variantOf = (kernel: Kernel) => kernel.variants.find((variant) => variant.name === name)!;
const gpu = (capabilities: Capabilities): Capabilities => ({ ...capabilities, adapterClass: "discrete" });

/** The call of a case; with `f16`, all its operands are f16. */
function prepare(kernel: Kernel, example: Pick<Case, "inputs" | "attrs">, f16: boolean) {
  const inF16 = ([input, given]: [string, Case["inputs"][string]]) => [
    input,
    input === "logSumExp" ? given : { ...(given as library.CaseInput), dtype: "f16" },
  ];
  const inputs = f16 ? Object.fromEntries(Object.entries(example.inputs).map(inF16)) : example.inputs;
  return library.prepareCase(kernel, { ...example, inputs });
}

/**
 * Sizes that are no whole number of tiles, and rows of an odd number of elements. Few, because these shaders compile for seconds on
 * a CPU, the six of a gradient for ten.
 */
const chosen: readonly [kernel: string, example: string, f16: boolean][] = [
  ["attention", "tile borders + 1", true],
  ["attentionPacked", "odd sizes", false],
  ["attentionPacked", "odd sizes", true],
  ["attentionGradient", "tile borders + 1", false],
  ["attentionPackedGradient", "tile borders + 1", true],
  ["attention", "causal, tile borders + 1", false],
];

describe("attention as matrix products on GPUs", function () {
  this.timeout(60_000);
  for (const [kernelName, caseName, f16] of chosen) {
    it(`${kernelName}: ${caseName}${f16 ? ", f16 on a matrix unit" : ""}`, async function () {
      const { gpu: device, capabilities } = testDevice();
      if (f16 && !capabilities.f16) {
        console.log("    skipped: this adapter has no shader-f16");
        this.skip();
      }
      const kernel = [...forward, ...gradients].find((one) => one.name === kernelName)!;
      const example = kernel.cases.find((one) => one.name === caseName)!;
      const caps = { ...gpu(capabilities), subgroupMatrix: f16 ? unit : undefined };
      const { call, values } = prepare(kernel, example, f16);
      const variant = variantOf(kernel);
      expect(library.admits(variant, caps, call)).to.equal(true);
      expect(variant.scratch!(caps, call)["weights"]!.dtype).to.equal(f16 ? "f16" : "f32");
      const got = await runVariant(device, caps, kernel, variant, call, values);
      const expected = kernel.reference(values, call);
      for (const [output, { dtype }] of Object.entries(call.outputs))
        compare(`${kernel.name}/${name}: ${output}`, got[output]!, expected[output]!, dtype, 1e-5);
    });
  }

  it("keep rows of every length apart, whatever lanes share them", async () => {
    const { gpu: device, capabilities } = testDevice();
    const [kernel] = forward;
    const variant = variantOf(kernel!);
    for (const keys of [1, 264, 1031]) {
      const example = { inputs: { query: [1, 3, 2, 4], key: [1, keys, 2, 4], value: [1, keys, 2, 4] } };
      const { call, values } = library.prepareCase(kernel!, { ...example, attrs: { scale: 3 } });
      const got = await runVariant(device, gpu(capabilities), kernel!, variant, call, values);
      const expected = kernel!.reference(values, call);
      for (const output of ["y", "logSumExp"])
        compare(`${keys} keys: ${output}`, got[output]!, expected[output]!, "f32", 1e-5);
    }
  });

  it("are left to autotuning, where their weights can be bound", () => {
    const { capabilities } = testDevice();
    for (const kernel of forward) {
      expect(library.usualVariants(kernel).map((variant) => variant.name)).not.to.include(name);
      const admitted = (tokens: number, caps: Capabilities): string[] => {
        const shapes = { qkv: [1, tokens, 2, 12], query: [1, tokens, 2, 4] };
        const inputs = Object.fromEntries(
          kernel.inputs.map((input) => [input, library.spec(input === "qkv" ? shapes.qkv : shapes.query)]),
        );
        const attrs = { scale: 1 };
        const call = { inputs, attrs, ...kernel.infer(inputs, attrs) };
        return kernel.variants
          .filter((variant) => library.admits(variant, caps, call))
          .map((variant) => variant.name);
      };
      expect(admitted(1024, gpu(capabilities))).to.deep.equal(["workgroup tiles", name]);
      expect(admitted(8192, gpu(capabilities))).to.deep.equal(["workgroup tiles"]);
      expect(admitted(1024, { ...capabilities, adapterClass: "software" })).not.to.include(name);
    }
  });
});
