/**
 * Second derivatives of every op: recorded, interpreted in f64 and compared with central differences of the f64 gradient, then on the
 * device.
 */
import { uniformGenerator } from "@ddad/kernels-wgsl";
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { testDevice } from "./device.hooks.ts";
import { gradientCases } from "./gradientCases.ts";
import { captureWithValues, centralDifference, directionalDifference } from "./interpret.ts";

/** Elements of each input that are compared one by one; all of them are along a random direction. */
const samples = 3;
/** Relative to the largest second derivative of an input: of smooth functions, by differences of 1e-4, in f64. */
const exact = 2e-6;
/** The same on the device, in f32. */
const single = 5e-4;

function randomTensor(
  shape: readonly number[],
  uniform: () => number,
  fill: (index: number, uniform: () => number) => number = () => 2 * uniform() - 1,
): t.Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return t.tensor(
    Float32Array.from({ length: size }, (_, index) => fill(index, uniform)),
    [...shape],
  );
}

const largest = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);

for (const { name, inputs, run } of gradientCases) {
  it(`second derivatives of ${name}`, async () => {
    const uniform = uniformGenerator(11);
    const tensors = inputs.map(({ shape, fill }) => randomTensor(shape, uniform, fill));
    const y = run(...tensors);
    // The weights of the outputs are what a kernel of gradients gets as `gradient`: it has a derivative towards them, too.
    const weights = randomTensor(y.shape, uniform);
    const gradients = t.grad(t.sum(t.mul(y, weights)), tensors);
    const loss = gradients
      .map((gradient) => t.sum(t.mul(gradient, randomTensor(gradient.shape, uniform))))
      .reduce((a, b) => t.add(a, b));
    const towards = [...tensors, weights];
    const seconds = t.grad(loss, towards, { allowUnused: true });

    const gradient = await captureWithValues([loss]);
    const definition = await captureWithValues(seconds);
    const expected = definition.run(definition.values);
    await t.evaluate(...seconds);
    for (const [k, input] of towards.entries()) {
      const leaf = gradient.leaves.indexOf(input);
      const got = await seconds[k]!.data();
      const scale = largest(expected[k]!);
      for (let s = 0; s < Math.min(samples, input.size); s++) {
        const index = Math.floor((s * input.size) / Math.min(samples, input.size));
        const at = `${name}: input ${k}, element ${index}`;
        const difference = leaf < 0 ? 0 : centralDifference(gradient.run, gradient.values, leaf, index);
        expect(expected[k]![index], at).to.be.closeTo(difference, exact * scale);
        expect(got[index], `${at}, on the device`).to.be.closeTo(expected[k]![index]!, single * scale);
      }
      if (leaf < 0 || input.size === 0) continue;
      const direction = Float64Array.from({ length: input.size }, () => (uniform() < 0.5 ? -1 : 1));
      const along = directionalDifference(gradient.run, gradient.values, leaf, direction);
      const length = input.size ** 0.5;
      const dot = (values: ArrayLike<number>) =>
        direction.reduce((sum, sign, index) => sum + sign * values[index]!, 0);
      expect(dot(expected[k]!), `${name}: input ${k}, along a direction`).to.be.closeTo(
        along,
        4 * exact * scale * length,
      );
      expect(dot(got), `${name}: input ${k}, along a direction, on the device`).to.be.closeTo(
        along,
        4 * single * scale * length,
      );
    }
  });
}

describe("third derivatives", () => {
  const [x, weight, bias] = [[2, 3, 4], [4], [4]].map((shape) => ({ shape }));
  const third: readonly (readonly [string, (...inputs: t.Tensor[]) => t.Tensor])[] = [
    ["groupNorm", (a, w, b) => t.groupNorm(a!, { groups: 2, weight: w!, bias: b!, activation: "silu" })],
    ["batchNorm", (a, w, b) => t.batchNorm(a!, { weight: w!, bias: b!, epsilon: 0.5 }).y],
    ["cosineDistance", (a, w, b) => t.cosineDistance(a!, t.mul(t.add(a!, b!), w!))],
  ];
  for (const [name, run] of third) {
    it(`of ${name}`, async () => {
      const uniform = uniformGenerator(13);
      const inputs = [x!, weight!, bias!].map(({ shape }) => randomTensor(shape, uniform));
      const first = t.grad(t.sum(t.square(run(...inputs))), [inputs[0]!])[0]!;
      const second = t.grad(t.sum(t.mul(first, randomTensor(first.shape, uniform))), [inputs[0]!])[0]!;
      const loss = t.sum(t.mul(second, randomTensor(second.shape, uniform)));
      const thirds = t.grad(loss, inputs);
      const definition = await captureWithValues(thirds);
      const expected = definition.run(definition.values);
      const gradient = await captureWithValues([loss]);
      await t.evaluate(...thirds);
      for (const [k, input] of inputs.entries()) {
        const scale = largest(expected[k]!);
        const got = await thirds[k]!.data();
        for (let index = 0; index < Math.min(samples, input.size); index++) {
          const leaf = gradient.leaves.indexOf(input);
          const difference = centralDifference(gradient.run, gradient.values, leaf, index);
          expect(expected[k]![index], `input ${k}, element ${index}`).to.be.closeTo(difference, 1e-5 * scale);
          expect(got[index], `input ${k}, element ${index}`).to.be.closeTo(
            expected[k]![index]!,
            2e-3 * scale,
          );
        }
      }
    });
  }
});

describe("second derivatives of f16", () => {
  const ops: readonly (readonly [string, (x: t.Tensor) => t.Tensor])[] = [
    [
      "groupNorm",
      (x) => t.groupNorm(x, { groups: 2, weight: t.ones([8]), bias: t.zeros([8]), activation: "silu" }),
    ],
    [
      "attention",
      (x) => t.attention(t.reshape(x, [1, 6, 2, 4]), t.reshape(x, [1, 6, 2, 4]), t.reshape(x, [1, 6, 2, 4])),
    ],
    ["layerNorm", (x) => t.layerNorm(x)],
    ["softmax", (x) => t.softmax(x)],
  ];
  for (const [name, op] of ops) {
    it(`of ${name} are those of f32, rounded`, async function () {
      if (!testDevice().capabilities.f16) this.skip();
      const uniform = uniformGenerator(19);
      const [x, weights, direction] = [0, 1, 2].map(() => randomTensor([6, 8], uniform)) as [
        t.Tensor,
        t.Tensor,
        t.Tensor,
      ];
      const second = (dtype: "f16" | "f32"): t.Tensor => {
        const input = t.cast(x, dtype);
        const y = t.cast(t.reshape(op(input), [6, 8]), "f32");
        const [g] = t.grad(t.sum(t.mul(y, weights)), [input]);
        return t.grad(t.sum(t.mul(t.cast(g!, "f32"), direction)), [input])[0]!;
      };
      const [half, single] = [t.cast(second("f16"), "f32"), second("f32")];
      const expected = await single.data();
      const got = await half.data();
      const scale = largest(expected);
      expected.forEach((value, index) => {
        expect(got[index], `element ${index}`).to.be.closeTo(value, 1e-2 * scale);
      });
    });
  }
});

it("a gradient penalty of a critic of two convolutions", async () => {
  const uniform = uniformGenerator(17);
  const x = randomTensor([2, 7, 6, 3], uniform);
  const parameters = [[3, 3, 3, 5], [5], [3, 3, 5, 4], [4], [4]].map((shape) => randomTensor(shape, uniform));
  const [weight1, bias1, weight2, bias2, head] = parameters as [
    t.Tensor,
    t.Tensor,
    t.Tensor,
    t.Tensor,
    t.Tensor,
  ];
  const hidden = t.silu(t.conv2d(x, weight1, { bias: bias1, padding: 1 }));
  const features = t.silu(t.conv2d(hidden, weight2, { bias: bias2, stride: 2, padding: 1 }));
  const score = t.sum(t.mul(t.mean(features, [1, 2]), head), 1);
  // (‖∇ₓ critic‖ − 1)² of each image (Gulrajani et al. 2017), beside the critic itself.
  const [slope] = t.grad(t.sum(score), [x]);
  const norm = t.sqrt(t.sum(t.square(slope!), [1, 2, 3]));
  const loss = t.add(t.mean(t.square(t.sub(norm, 1))), t.mul(t.mean(score), 0.1));
  const gradients = t.grad(loss, parameters);
  const gradient = await captureWithValues([loss]);
  await t.evaluate(...gradients);
  for (const [k, parameter] of parameters.entries()) {
    const got = await gradients[k]!.data();
    const scale = largest(got);
    const leaf = gradient.leaves.indexOf(parameter);
    for (let s = 0; s < Math.min(samples, parameter.size); s++) {
      const index = Math.floor((s * parameter.size) / Math.min(samples, parameter.size));
      const difference = centralDifference(gradient.run, gradient.values, leaf, index);
      expect(got[index], `parameter ${k}, element ${index}`).to.be.closeTo(difference, 1e-4 * scale);
    }
  }
});
