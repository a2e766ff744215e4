/** Random tensors: the same for any batch, different for every use, distributed as they should be. */
import * as t from "@ddad/tensor";
import { expect } from "chai";

const rows = [
  { stream: 3, step: 0 },
  { stream: 4, step: 0 },
  { stream: 3, step: 1 },
];

describe("random tensors", () => {
  it("depend on a row's key alone, not on the batch", async () => {
    const all = await t.randomNormal(t.randomKeys(1, rows), [3, 5, 7]).data();
    const one = await t.randomNormal(t.randomKeys(1, [rows[1]!]), [1, 5, 7]).data();
    expect(one).to.deep.equal(all.slice(35, 70));
    const other = await t.randomNormal(t.randomKeys(2, [rows[1]!]), [1, 5, 7]).data();
    expect(other).not.to.deep.equal(one);
  });

  it("have the moments of their distributions", async () => {
    const key = t.randomKeys(5, [{ stream: 0, step: 0 }]);
    const count = 100_000;
    const moments = (values: Float32Array) => {
      const mean = values.reduce((a, b) => a + b, 0) / count;
      return { mean, variance: values.reduce((a, b) => a + (b - mean) ** 2, 0) / count };
    };
    // Five standard errors: 1/√count of the mean, √2/√count of the normal's variance.
    const normal = moments(await t.randomNormal(key, [1, count]).data());
    expect(normal.mean).to.be.closeTo(0, 5 / Math.sqrt(count));
    expect(normal.variance).to.be.closeTo(1, 5 * Math.sqrt(2 / count));
    const uniform = moments(await t.randomUniform(key, [1, count]).data());
    expect(uniform.mean).to.be.closeTo(0.5, 5 * Math.sqrt(1 / 12 / count));
    expect(uniform.variance).to.be.closeTo(1 / 12, 5 * Math.sqrt(1 / 180 / count));
  });

  it("draw integers of the whole range", async () => {
    const key = t.randomKeys(
      9,
      Array.from({ length: 400 }, (_, stream) => ({ stream, step: 0 })),
    );
    const drawn = await t.randomInteger(key, { low: -2, high: 3 }).data();
    expect([...new Set(drawn)].sort((a, b) => a - b)).to.deep.equal([-2, -1, 0, 1, 2]);
  });

  it("a stream gives other numbers at each use, and the same again from the same keys", async () => {
    const draw = async (): Promise<Float32Array[]> => {
      const stream = new t.RandomStream(t.randomKeys(1, rows));
      const uses = [stream.next(3), stream.next(3)];
      return Promise.all(uses.map((key) => t.randomUniform(key, [3, 4]).data()));
    };
    const [first, second] = await draw();
    expect(first).not.to.deep.equal(second);
    expect(await draw()).to.deep.equal([first, second]);
  });
});
