/**
 * The tiling for matrix units, by an emulated one of f32 matrices: what it reads, multiplies and writes is the same, so every
 * case must give the reference's numbers at the usual tolerance. What the hardware makes of it can only be tried on hardware.
 */
import type { Capabilities, Kernel } from "@ddad/kernels-wgsl";
import * as library from "@ddad/kernels-wgsl";
import { expect } from "chai";
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
