/**
 * The tiling for matrix units. An emulated one of f32 matrices reads, multiplies and writes the same, so every case must give the
 * reference's numbers at the usual tolerance, on any adapter. Where the adapter has a unit of its own, every tile runs on that.
 */
import type { Capabilities, Kernel } from "@ddad/kernels-wgsl";
import * as library from "@ddad/kernels-wgsl";
import { expect } from "chai";
import { subgroupSizeFeature } from "../../tensor/src/device/capabilities.ts";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import { compare, runVariant } from "./harness.ts";

const products = [library.matmul, library.conv2d, library.conv2dInputGradient, library.conv2dWeightGradient];
const units = [
  { m: 8, n: 8, k: 8, lanes: 16 },
  { m: 8, n: 16, k: 16, lanes: 32 },
];

/** Some of each kernel: shaders with barriers compile for seconds on a CPU. */
const chosen = ["prime sizes, both transposed", "batches", "3×3, stride 2", "tile borders"];

for (const kernel of products as unknown as readonly Kernel[]) {
  describe(`kernel ${kernel.name} by a matrix unit`, function () {
    this.timeout(60_000);
    const cases = kernel.cases.filter(({ name }) => chosen.includes(name));
    for (const [index, example] of cases.entries()) {
      it(example.name, async () => {
        const { gpu, capabilities } = testDevice();
        const unit = { ...units[index % units.length]!, emulated: true };
        const caps: Capabilities = { ...capabilities, subgroupMatrix: unit };
        const { call, values } = library.prepareCase(kernel, example);
        const variant = kernel.variants.find(({ name }) => name === "subgroup matrix")!;
        const got = await runVariant(gpu, caps, kernel, variant, call, values);
        const expected = kernel.reference(values, call);
        for (const [name, { dtype }] of Object.entries(call.outputs)) {
          const label = `${kernel.name}/${variant.name} ${example.name}: ${name}`;
          compare(label, got[name]!, expected[name]!, dtype, example.tolerance ?? 1e-5);
        }
      });
    }

    it("is not taken for f32 operands, which it would round", () => {
      const { capabilities } = testDevice();
      const caps: Capabilities = { ...capabilities, subgroupMatrix: { ...units[0]!, emulated: true } };
      const { call } = library.prepareCase(kernel, cases[0]!);
      const variant = kernel.variants.find(({ name }) => name === "subgroup matrix")!;
      expect(variant.when!(caps, call)).to.equal(false);
    });
  });
}

/** More than one tile each way, the last of them not whole, and a k that is divided. */
const f16Cases = {
  plain: {
    inputs: { a: { shape: [131, 773], dtype: "f16" }, b: { shape: [773, 133], dtype: "f16" }, bias: [133] },
    attrs: { transposeA: false, transposeB: false },
  },
  transposed: {
    inputs: { a: { shape: [773, 131], dtype: "f16" }, b: { shape: [133, 773], dtype: "f16" } },
    attrs: { transposeA: true, transposeB: true },
  },
} satisfies Record<string, Pick<library.Case, "inputs" | "attrs">>;

describe("kernel matmul by the matrix unit of the adapter", function () {
  this.timeout(600_000); // a CPU that emulates the unit compiles each tile for seconds
  const matmul = library.matmul as unknown as Kernel;
  for (const [name, example] of Object.entries(f16Cases)) {
    it(`${name}, by every tile`, async function () {
      const { gpu, capabilities } = testDevice();
      if (!capabilities.subgroupMatrix) {
        console.log("    skipped: this adapter has no f16 subgroup matrices");
        this.skip();
      }
      // Once as it comes, once asking for its size of subgroups even where there is no other.
      const sized = name === "transposed" && gpu.features.has(subgroupSizeFeature);
      const caps: Capabilities = {
        ...capabilities,
        adapterClass: "discrete", // software adapters do not take theirs by themselves
        subgroupMatrix: { ...capabilities.subgroupMatrix, ...(sized && { sized }) },
      };
      const { call, values } = library.prepareCase(matmul, example);
      const expected = matmul.reference(values, call);
      const variants = matmul.variants.filter(
        (variant) => variant.name.startsWith("subgroup matrix") && library.admits(variant, caps, call),
      );
      expect(variants.length).to.be.above(4);
      for (const variant of variants) {
        const got = await runVariant(gpu, caps, matmul, variant, call, values);
        compare(`${variant.name} ${name}`, got["y"]!, expected["y"]!, call.outputs["y"]!.dtype, 1e-5);
      }
    });
  }
});
