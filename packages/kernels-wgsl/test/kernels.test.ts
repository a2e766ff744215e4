/**
 * Every kernel, every case, every variant that is admitted by the adapter, or by a GPU with its features, against the f64 reference.
 * Variants that are only for tuning have a test of their own, on a few cases: `tuningVariants.test.ts`.
 */

import type { Kernel } from "@ddad/kernels-wgsl";
import * as library from "@ddad/kernels-wgsl";
import { expect } from "chai";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import { compare, runVariant } from "./harness.ts";

for (const kernel of library.kernels as readonly Kernel[]) {
  describe(`kernel ${kernel.name}`, () => {
    for (const example of kernel.cases.filter(({ benchOnly }) => !benchOnly)) {
      it(`${example.name}`, async function () {
        const { gpu, capabilities } = testDevice();
        const { call, values } = library.prepareCase(kernel, example);
        if (!capabilities.f16 && Object.values(call.inputs).some((input) => input?.dtype === "f16")) {
          console.log("    skipped: this adapter has no shader-f16");
          this.skip();
        }
        const expected = kernel.reference(values, call);
        const settings = [capabilities, { ...capabilities, adapterClass: "discrete" as const }];
        for (const variant of library.usualVariants(kernel)) {
          const caps = settings.find((setting) => library.admits(variant, setting, call));
          if (!caps) continue;
          const got = await runVariant(gpu, caps, kernel, variant, call, values);
          for (const [name, { dtype }] of Object.entries(call.outputs)) {
            const label = `${kernel.name}/${variant.name} ${example.name}: ${name}`;
            compare(label, got[name]!, expected[name]!, dtype, example.tolerance ?? 1e-5);
          }
        }
      });
    }

    for (const { inputs, attrs, message } of kernel.refusals) {
      it(`refuses ${message.source}`, () => {
        expect(() => library.prepareCase(kernel, { inputs, attrs })).to.throw(library.ShapeError, message);
      });
    }

    it("has a cost, a benchmark case, a variant that always fits and no two of one name", () => {
      expect(library.usualVariants(kernel)).not.to.be.empty;
      expect(new Set(kernel.variants.map(({ name }) => name))).to.have.length(kernel.variants.length);
      expect(kernel.cases.some(({ bench }) => bench)).to.equal(true);
      for (const example of kernel.cases) {
        const inputs = Object.fromEntries(
          Object.entries(example.inputs).map(([name, input]) => [
            name,
            Array.isArray(input)
              ? library.spec(input)
              : library.spec((input as library.CaseInput).shape, (input as library.CaseInput).dtype),
          ]),
        );
        const call = { inputs, attrs: example.attrs, ...kernel.infer(inputs, example.attrs) };
        const { bytes, flops } = kernel.cost(call);
        const written = Object.values(call.outputs).reduce((sum, output) => sum + library.bytesOf(output), 0);
        expect(bytes, `${example.name}: bytes`).to.be.at.least(written);
        expect(flops, `${example.name}: operations`).to.satisfy(Number.isSafeInteger);
      }
    });
  });
}
