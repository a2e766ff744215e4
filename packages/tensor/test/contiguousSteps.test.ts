/** Optimiser steps on variables that share buffers: the same as one by one, in fewer dispatches. */
import * as t from "@ddad/tensor";
import * as internal from "@ddad/tensor/internal";
import { expect } from "chai";
import { testDevice } from "./device.hooks.ts";

const values = async (...tensors: t.Tensor[]): Promise<number[][]> =>
  Promise.all(tensors.map(async (tensor) => [...(await tensor.data())]));

describe("steps on contiguous variables", () => {
  const shapes = [[32], [3], [4, 4], [5, 5], [64]];
  const settings = {
    learningRate: 0.1,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0.01,
    decoupled: true,
  };
  const wave = (shape: readonly number[], phase: number): t.Tensor => {
    const size = shape.reduce((product, length) => product * length, 1);
    return t.tensor(
      Float32Array.from({ length: size }, (_, k) => Math.sin(phase + k)),
      shape,
    );
  };

  /** Three steps of Adam with clipping and micro-batches of two; the parameters then. */
  async function train(contiguous: boolean): Promise<{ values: number[][]; steps: number }> {
    const fresh = (phase: number) => shapes.map((shape, k) => t.variable(wave(shape, phase + k)));
    const [parameters, targets] = [fresh(0), shapes.map((shape, k) => wave(shape, 9 + k))];
    const zeros = () => shapes.map((shape) => t.variable(t.zeros(shape)));
    const [first, second, averages, sums] = [zeros(), zeros(), zeros(), zeros()];
    if (contiguous)
      for (const series of [parameters, first, second, averages, sums]) internal.flattenParameters(series);
    const part = t.compile((scale: t.Tensor, keep: t.Tensor) => {
      const loss = parameters
        .map((parameter, k) => t.square(t.sub(parameter, targets[k]!)).sum())
        .reduce((sum, term) => t.add(sum, term));
      const gradients = t.grad(t.mul(loss, scale), parameters);
      for (const [k, sum] of sums.entries()) sum.assign(internal.accumulate(sum, gradients[k]!, keep));
    });
    const apply = t.compile((control: t.Tensor) => {
      const norm = t.sqrt(internal.sumOfSquares(...sums));
      const mask = t.tensor([0, 0, 0, 0, 0, 0, 1, 0], [8], { dtype: "bool" });
      const scaled = t.where(mask, t.minimum(t.reciprocal(norm), 1), control);
      for (const [k, parameter] of parameters.entries()) {
        const next = internal.adamEmaStep(
          {
            parameter,
            gradient: sums[k]!,
            firstMoment: first[k]!,
            secondMoment: second[k]!,
            ema: averages[k]!,
            control: scaled,
          },
          settings,
        );
        parameter.assign(next.parameterNext);
        first[k]!.assign(next.firstMomentNext);
        second[k]!.assign(next.secondMomentNext);
        averages[k]!.assign(next.emaNext);
      }
    });
    let steps = 0;
    for (let count = 1; count <= 3; count++) {
      await part(t.tensor(0.25, []), t.tensor([0]));
      await part(t.tensor(0.5, []), t.tensor([1]));
      const control = t.tensor(internal.adamControl({ ...settings, step: count, emaDecay: 0.5 }));
      const profiled = await t.profile(() => apply(control));
      steps = profiled.rows
        .filter(({ label }) => label.startsWith("adam"))
        .reduce((n, { count: c }) => n + c, 0);
    }
    const result = await values(...parameters, ...averages);
    for (const variable of [...parameters, ...first, ...second, ...averages, ...sums]) variable.dispose();
    return { values: result, steps };
  }

  it("are explained as they run", async () => {
    const [parameters, velocities] = [
      internal.contiguousZeros([[32], [64]]),
      internal.contiguousZeros([[32], [64]]),
    ];
    const control = t.tensor([0.1, 0.9, 0, 1]);
    for (const [k, parameter] of parameters.entries()) {
      const gradient = t.ones(parameter.shape);
      const next = internal.sgdStep({ parameter, gradient, velocity: velocities[k]!, control });
      parameter.assign(next.parameterNext);
      velocities[k]!.assign(next.velocityNext);
    }
    const changed = [...parameters, ...velocities];
    const explained = t.explain(...changed);
    const { rows } = await t.profile(() => t.evaluate(...changed));
    const dispatches = rows.reduce((sum, { count }) => sum + count, 0);
    expect(explained)
      .to.contain(` ${dispatches} dispatches:`)
      .and.to.match(/results: \n/);
    for (const variable of changed) variable.dispose();
  });

  it("come to the same as one by one, in fewer dispatches", async () => {
    const [alone, together] = [await train(false), await train(true)];
    expect(alone.steps).to.equal(shapes.length);
    // [3] and [5, 5] leave gaps, so the second of them has no neighbour.
    const alignment = testDevice().gpu.limits.minStorageBufferOffsetAlignment;
    if (alignment <= 64) expect(together.steps).to.equal(2);
    for (const [k, expected] of alone.values.entries())
      for (const [i, value] of expected.entries()) expect(together.values[k]![i]).to.be.closeTo(value, 1e-6);
  });
});
