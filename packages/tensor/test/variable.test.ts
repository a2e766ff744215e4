/** Variables: what they stand for before and after `evaluate`, and updates that read one another. */
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { rejection, ticks, values } from "./reading.ts";

describe("variables", () => {
  it("stand for their value at the moment of use", async () => {
    const v = t.variable(t.tensor([1, 2]));
    const before = v.mul(10);
    v.assign(v.add(1));
    const after = v.mul(10);
    await t.evaluate(before, after, v);
    expect(await values(before, after, v)).to.deep.equal([
      [10, 20],
      [20, 30],
      [2, 3],
    ]);
  });

  it("swap their values", async () => {
    const [a, b, c] = [1, 2, 3].map((value) => t.variable(t.tensor([value, -value]))) as [
      t.Variable,
      t.Variable,
      t.Variable,
    ];
    const [x, y, z] = [t.add(a, 0), t.add(b, 0), t.add(c, 0)];
    a.assign(y);
    b.assign(z);
    c.assign(x);
    await t.evaluate(a, b, c);
    expect(await values(a, b, c)).to.deep.equal([
      [2, -2],
      [3, -3],
      [1, -1],
    ]);
  });

  it("take over another's contents as they are, or seen under another shape", async () => {
    const a = t.variable(t.tensor([1, 2, 3, 4]));
    const b = t.variable(t.tensor([5, 6, 7, 8], [2, 2]));
    const [oldA, oldB] = [a.reshape([2, 2]), b.reshape([4])];
    a.assign(oldB);
    b.assign(oldA);
    await t.evaluate(a, b);
    expect(await values(a, b)).to.deep.equal([
      [5, 6, 7, 8],
      [1, 2, 3, 4],
    ]);
  });

  it("can be named twice", async () => {
    const v = t.variable(t.tensor([1]));
    v.assign(v.add(1));
    const w = v.mul(3);
    await t.evaluate(v, w, v);
    expect(await values(v, w)).to.deep.equal([[2], [6]]);
  });

  it("that share a new value both get it", async () => {
    const [a, b] = [t.variable(t.tensor([0, 0])), t.variable(t.tensor([1, 1]))];
    const shared = t.tensor([2, 3]).mul(2);
    a.assign(shared);
    b.assign(shared);
    await t.evaluate(a, b, shared);
    expect(await values(a, b, shared)).to.deep.equal([
      [4, 6],
      [4, 6],
      [4, 6],
    ]);
  });

  it("keep a value that was assigned twice before it was evaluated: the last", async () => {
    const v = t.variable(t.tensor([1]));
    v.assign(v.add(1));
    v.assign(v.mul(5));
    await t.evaluate(v);
    expect(await v.item()).to.equal(10);
  });

  it("do not let a value that is overwritten be read", async () => {
    const v = t.variable(t.tensor([1]));
    const late = v.mul(2);
    v.assign(v.add(1));
    await t.evaluate(v);
    const error = await rejection(t.evaluate(late));
    expect(error).to.be.instanceOf(t.StaleValueError);
    expect(error.message).to.match(/Evaluate it before, or together with, the variable/);
  });

  it("are read as they are at the moment of the call", async () => {
    const v = t.variable(t.tensor([0]));
    const read: Promise<number>[] = [];
    for (let k = 1; k <= 3; k++) {
      v.assign(t.tensor([10 * k]));
      read.push(v.item());
    }
    for (let k = 0; k < 3; k++) {
      v.assign(v.add(1));
      read.push(v.item());
    }
    read.push(v.item());
    v.assign(t.tensor([99]));
    const overwritten = t.evaluate(v);
    expect(await Promise.all(read)).to.deep.equal([10, 20, 30, 31, 32, 33, 33]);
    await overwritten;
    expect(await v.item()).to.equal(99);
    v.dispose();
  });

  it("and other tensors may be disposed of while they are read", async () => {
    const v = t.variable(t.tensor([1, 2]));
    const x = t.tensor([3, 4]);
    const reading = [v, x].map((tensor) => tensor.data());
    for (const tensor of [v, x]) tensor.dispose();
    const next = [t.tensor([5, 6]), t.tensor([7, 8])]; // not in the memory that is read
    expect((await Promise.all(reading)).map((data) => [...data])).to.deep.equal([
      [1, 2],
      [3, 4],
    ]);
    expect(await rejection(x.data())).to.be.instanceOf(t.StaleValueError);
    for (const tensor of next) tensor.dispose();
  });

  it("are up to date once they were read", async () => {
    const v = t.variable(t.tensor([1]));
    v.assign(v.add(1));
    expect(await v.item()).to.equal(2);
    expect(v.pending).to.equal(false);
    v.dispose();
  });

  it("keep what is assigned while they are evaluated", async () => {
    const v = t.variable(t.tensor([1]));
    for (let k = 0; k < 30; k++) {
      v.assign(v.add(1));
      const evaluated = t.evaluate(v);
      await ticks(k);
      v.assign(t.tensor([50]));
      await evaluated;
      expect(await v.item()).to.equal(50);
    }
    v.dispose();
  });

  it("let what was recorded on a new value be computed after it was written", async () => {
    const v = t.variable(t.tensor([1]));
    v.assign(v.add(1));
    const late = v.mul(10);
    await t.evaluate(v);
    expect(await values(late, v)).to.deep.equal([[20], [2]]);
    v.assign(v.add(1));
    const next = v.value;
    await t.evaluate(v);
    expect(await values(next)).to.deep.equal([[3]]);
    next.dispose(); // the variable keeps its value
    expect(await values(v)).to.deep.equal([[3]]);
    v.dispose();
  });

  it("that were disposed of are refused by functions compiled before, which leave their memory alone", async () => {
    const v = t.variable(t.tensor([1, 2]));
    const read = t.compile(() => v.mul(2));
    const write = t.compile((x: t.Tensor) => v.assign(x.mul(3)));
    const x = t.tensor([5, 5]);
    (await read()).dispose();
    await write(x);
    v.dispose();
    const next = t.tensor([8, 9]); // in the memory that was the variable's
    for (const call of [read(), write(x)]) {
      const error = await rejection(call);
      expect(error).to.be.instanceOf(t.StaleValueError);
      expect(error.message).to.match(/was disposed of/);
    }
    expect(await values(next)).to.deep.equal([[8, 9]]);
  });

  it("refuse a value of another shape or type", () => {
    const v = t.variable(t.tensor([1, 2]));
    expect(() => v.assign(t.tensor([1]))).to.throw(t.ShapeError, /\[2\]/);
    // @ts-expect-error: the compiler knows, too
    expect(() => v.assign(t.tensor([1, 2], [2], { dtype: "i32" }))).to.throw(/i32/);
  });
});
