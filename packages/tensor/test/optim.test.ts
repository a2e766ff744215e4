/** Optimiser ops on variables: updated in place, in the buffers that they have for life. */
import * as t from "@ddad/tensor";
import * as internal from "@ddad/tensor/internal";
import { expect } from "chai";

describe("adamStep on variables", () => {
  it("follows the formula for two steps, compiled, without copies", async () => {
    const parameter = t.variable(t.tensor([1, -2, 3]));
    const firstMoment = t.variable(t.zeros([3]));
    const secondMoment = t.variable(t.zeros([3]));
    const settings = {
      learningRate: 0.1,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      decoupled: false,
    };
    const step = t.compile((control: t.Tensor) => {
      const [gradient] = t.grad(t.square(parameter).sum(), [parameter]);
      const next = internal.adamStep(
        { parameter, gradient: gradient!, firstMoment, secondMoment, control },
        settings,
      );
      parameter.assign(next.parameterNext);
      firstMoment.assign(next.firstMomentNext);
      secondMoment.assign(next.secondMomentNext);
    });
    const expected = [1, -2, 3];
    const [m, v] = [
      [0, 0, 0],
      [0, 0, 0],
    ];
    const homes = [parameter, firstMoment, secondMoment].map(({ storage }) => storage.region.buffer);
    for (let count = 1; count <= 2; count++) {
      await step(t.tensor(internal.adamControl({ ...settings, step: count })));
      for (const [k, p] of expected.entries()) {
        const g = 2 * p;
        m[k] = 0.9 * m[k]! + 0.1 * g;
        v[k] = 0.999 * v[k]! + 0.001 * g * g;
        expected[k] =
          p - (0.1 * (m[k]! / (1 - 0.9 ** count))) / (Math.sqrt(v[k]! / (1 - 0.999 ** count)) + 1e-8);
      }
    }
    const got = [...(await parameter.data())];
    for (const [k, value] of expected.entries()) expect(got[k]).to.be.closeTo(value, 1e-5);
    expect([parameter, firstMoment, secondMoment].map(({ storage }) => storage.region.buffer)).to.deep.equal(
      homes,
    );
  });

  it("sums of squares have a gradient", async () => {
    const [x, y] = [t.tensor([1, 2, 3]), t.tensor(4, [])];
    const gradients = t.grad(t.sqrt(internal.sumOfSquares(x, y)), [x, y]);
    const norm = Math.sqrt(30);
    for (const [index, expected] of [[1, 2, 3], [4]].entries())
      for (const [k, value] of [...(await gradients[index]!.data())].entries())
        expect(value).to.be.closeTo(expected[k]! / norm, 1e-6);
  });
});
