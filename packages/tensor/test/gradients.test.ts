/**
 * Every op: its value on the device against the interpreted program, and every gradient against central differences of
 * the f64 interpretation.
 */
import { uniformGenerator } from "@ddad/kernels-wgsl";
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { gradientCases } from "./gradientCases.ts";
import { captureWithValues, centralDifference } from "./interpret.ts";

/** Elements of each input whose gradient is checked. */
const samples = 24;

for (const { name, inputs, run, tolerance = 2e-4 } of gradientCases) {
  it(`gradient of ${name}`, async () => {
    const uniform = uniformGenerator(7);
    const tensors = inputs.map(({ shape, fill }) => {
      const size = shape.reduce((a, b) => a * b, 1);
      const values = Float32Array.from({ length: size }, (_, index) =>
        fill ? fill(index, uniform) : 2 * uniform() - 1,
      );
      return t.tensor(values, shape);
    });
    const y = run(...tensors);
    // Weights make every output element count differently.
    const weights = t.tensor(
      Float32Array.from({ length: y.size }, () => 2 * uniform() - 1),
      y.shape,
    );
    const loss = t.sum(t.mul(y, weights));
    const gradients = t.grad(loss, tensors);
    const { leaves, values, run: interpret } = await captureWithValues([loss]);
    await t.evaluate(loss, ...gradients);
    expect(await loss.item()).to.be.closeTo(interpret(values)[0]![0]!, 1e-4 * Math.max(1, y.size ** 0.5));
    for (const [k, input] of tensors.entries()) {
      const leaf = leaves.indexOf(input);
      const got = await gradients[k]!.data();
      expect(gradients[k]!.shape).to.deep.equal(input.shape);
      const scale = got.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-3);
      for (let s = 0; s < Math.min(samples, input.size); s++) {
        const index = Math.floor((s * input.size) / Math.min(samples, input.size));
        const expected = centralDifference(interpret, values, leaf, index);
        expect(got[index], `${name}: input ${k}, element ${index}`).to.be.closeTo(
          expected,
          tolerance * scale,
        );
      }
    }
  });
}
