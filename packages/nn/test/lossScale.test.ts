/** Loss scaling: the scale follows overflows, and a step that overflowed changes nothing. */
import { AdamW, evaluate, grad, LossScale, tensor, Variable } from "@ddad/nn";
import { expect } from "chai";

describe("LossScale", () => {
  async function step(
    lossScale: LossScale,
    optimizer: AdamW,
    weight: Variable,
    x: number,
  ): Promise<{ factor: number; norm: number }> {
    const loss = weight.mul(tensor([x, 2 * x])).sum();
    const gradients = grad(lossScale.scale(loss), optimizer.parameters);
    const { factor, norm } = lossScale.update(gradients);
    optimizer.step(gradients, { gradientScale: factor });
    await evaluate(loss, factor, norm, ...optimizer.variables, ...lossScale.variables);
    return { factor: await factor.item(), norm: await norm.item() };
  }

  it("gives 1 ÷ scale and the norm without it, and leaves the step as it would have been", async () => {
    const [plain, scaled] = [new Variable(tensor([1, -2])), new Variable(tensor([1, -2]))];
    const [first, second] = [new AdamW([plain]), new AdamW([scaled])];
    const lossScale = new LossScale({ initial: 1024 });
    const found = await step(lossScale, second, scaled, 3);
    first.step(grad(plain.mul(tensor([3, 6])).sum(), [plain]));
    await evaluate(...first.variables);
    expect(found.factor).to.equal(1 / 1024);
    expect(found.norm).to.be.closeTo(Math.hypot(3, 6), 1e-5);
    expect([...(await scaled.data())]).to.deep.equal([...(await plain.data())]);
  });

  it("halves the scale and skips the step where a gradient is not finite", async () => {
    const weight = new Variable(tensor([1, -2]));
    const optimizer = new AdamW([weight]);
    const lossScale = new LossScale({ initial: 1024 });
    await step(lossScale, optimizer, weight, 3);
    const before = [...(await weight.data())];
    for (const x of [Infinity, Number.NaN]) {
      const { factor } = await step(lossScale, optimizer, weight, x);
      expect(factor).to.equal(0);
      expect([...(await weight.data())]).to.deep.equal(before);
    }
    expect(await lossScale.value()).to.equal(256);
    await step(lossScale, optimizer, weight, 3);
    expect([...(await weight.data())]).not.to.deep.equal(before);
  });

  it("doubles the scale after as many good steps as asked for, up to a bound", async () => {
    const weight = new Variable(tensor([1, -2]));
    const optimizer = new AdamW([weight]);
    const lossScale = new LossScale({ initial: 2 ** 22, interval: 3 });
    const scales: number[] = [];
    for (let k = 0; k < 10; k++) {
      await step(lossScale, optimizer, weight, k === 4 ? Infinity : 1);
      scales.push(Math.log2(await lossScale.value()));
    }
    expect(scales).to.deep.equal([22, 22, 23, 23, 22, 22, 22, 23, 23, 23]);
    for (let k = 0; k < 8; k++) await step(lossScale, optimizer, weight, 1);
    expect(await lossScale.value()).to.equal(2 ** 24);
  });
});
