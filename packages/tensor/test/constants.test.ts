/** Numbers are data: they reach the shader as they are, and another number is another run of the same plan. */
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { releaseGarbage, testDevice } from "./device.hooks.ts";

const values = async (x: t.AnyTensor): Promise<number[]> => [...(await x.data())];

describe("constants", () => {
  it("of one plan may be infinite, NaN or −0 in turn", async () => {
    const x = t.tensor([1, 2, 3, 4]);
    expect(await values(t.minimum(x, Infinity))).to.deep.equal([1, 2, 3, 4]);
    expect(await values(t.minimum(x, -Infinity))).to.deep.equal(Array(4).fill(-Infinity));
    expect(await values(t.add(x, Number.NaN))).to.deep.equal(Array(4).fill(Number.NaN));
    expect(await values(t.add(x, Infinity))).to.deep.equal(Array(4).fill(Infinity));
    expect(Object.is((await values(t.mul(x, 0)))[0], 0)).to.equal(true);
    expect(Object.is((await values(t.mul(x, -0)))[0], -0)).to.equal(true);
  });

  it("are integers beside integers, to the last bit", async () => {
    const i32 = (...list: number[]) => t.tensor(list, { dtype: "i32" });
    const u32 = (...list: number[]) => t.tensor(list, { dtype: "u32" });
    expect(await values(i32(0, 1).add(16777217))).to.deep.equal([16777217, 16777218]);
    expect(await values(i32(16777216, 16777217).equal(16777217))).to.deep.equal([0, 1]);
    expect(await values(u32(1).add(4294967294))).to.deep.equal([4294967295]);
    expect(() => u32(1).add(-1)).to.throw(t.ShapeError, /add: the number -1 does not fit into u32/);
    expect(() => i32(1).add(0.5)).to.throw(t.ShapeError, /add: the number 0.5 does not fit into i32/);
    expect(() => t.tensor([1]).add(1e39)).to.throw(
      t.ShapeError,
      /add: the number 1e\+39 does not fit into f32/,
    );
  });

  it("behind a product are read from the uniform, however large", async () => {
    const product = () => t.matmul(t.tensor([[1, 2]]), t.tensor([[3], [4]]));
    for (const [bound, expected] of [
      [1e20, 11],
      [5, 5],
      [-Infinity, -Infinity],
      [3.4e38, 11],
    ] as const)
      expect(await values(t.minimum(product(), bound))).to.deep.equal([expected]);
  });

  it("make no new plans, pipelines or uniforms", async () => {
    const { pipelines } = testDevice();
    const x = t.tensor([1, 2, 3]);
    const step = async (factor: number): Promise<number[]> => values(x.mul(factor).add(1).relu());
    await step(1);
    await releaseGarbage();
    const [count, { uniformBytes }] = [pipelines.size, t.memory()];
    for (let k = 0; k < 50; k++)
      expect(await step(k / 4)).to.deep.equal([k / 4 + 1, k / 2 + 1, (3 * k) / 4 + 1]);
    expect(pipelines.size).to.equal(count);
    expect(t.memory().uniformBytes).to.equal(uniformBytes);
  });

  it("of compiled functions that share a plan stay apart", async () => {
    const [twice, thrice] = [2, 3].map((factor) => t.compile((x: t.Tensor) => x.mul(factor)));
    const x = t.tensor([1, 10]);
    for (let k = 0; k < 2; k++) {
      expect(await values(await twice!(x))).to.deep.equal([2, 20]);
      expect(await values(await thrice!(x))).to.deep.equal([3, 30]);
    }
  });

  it("of one value at two places may differ the next time", async () => {
    const x = t.tensor([1, 2]);
    const line = (a: number, b: number) => x.mul(a).add(b);
    expect(await values(line(2, 2))).to.deep.equal([4, 6]);
    expect(await values(line(2, 5))).to.deep.equal([7, 9]);
    expect(await values(line(7, 7))).to.deep.equal([14, 21]);
  });
});
