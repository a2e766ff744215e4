/** Variables that share buffers: what they are stays, whatever reads or writes them. */
import * as t from "@ddad/tensor";
import * as internal from "@ddad/tensor/internal";
import { expect } from "chai";
import { releaseGarbage, testDevice } from "./device.hooks.ts";

const values = async (...tensors: t.Tensor[]): Promise<number[][]> =>
  Promise.all(tensors.map(async (tensor) => [...(await tensor.data())]));

const bufferOf = ({ storage }: t.Variable): GPUBuffer => storage.region.buffer;

/** They have moved by the next evaluation. */
const moved = (...variables: t.Variable[]): Promise<void> => {
  internal.flattenParameters(variables);
  return t.evaluate();
};

/** [16] each: a multiple of every alignment. */
const sixteen = (first: number): number[] => Array.from({ length: 16 }, (_, k) => first + k);

describe("contiguous variables", () => {
  let a: t.Variable;
  let b: t.Variable;
  let odd: t.Variable;

  beforeEach(() => {
    a = t.variable(t.tensor(sixteen(0)));
    odd = t.variable(t.tensor([7, 8, 9]));
    b = t.variable(t.tensor(sixteen(100)));
  });

  afterEach(() => {
    for (const variable of [a, b, odd]) variable.dispose();
  });

  it("keep their values in one buffer, without gaps, what would leave one last", async () => {
    await moved(a, odd, b);
    expect(bufferOf(a)).to.equal(bufferOf(b)).and.to.equal(bufferOf(odd));
    const offsets = [a, b, odd].map(({ storage }) => storage.region.offset);
    const aligned = testDevice().gpu.limits.minStorageBufferOffsetAlignment <= 64;
    if (aligned) expect(offsets).to.deep.equal([0, 64, 128]);
    expect(await values(a, odd, b)).to.deep.equal([sixteen(0), [7, 8, 9], sixteen(100)]);
    expect(internal.heldBytes([a, b, odd])).to.equal(bufferOf(a).size);
  });

  it("stay where they are when they are moved again", async () => {
    await moved(a, b);
    const shared = bufferOf(a);
    await moved(a, b, odd);
    expect([bufferOf(a), bufferOf(b)]).to.deep.equal([shared, shared]);
    expect(bufferOf(odd)).to.not.equal(shared);
  });

  it("keep their meaning for earlier pending tensors and compiled functions", async () => {
    const pending = t.add(a, b);
    const addTo = t.compile((x: t.Tensor) => {
      a.assign(t.add(a, x));
      return t.mul(a, 2);
    });
    (await addTo(t.zeros([16]))).dispose();
    const later = t.add(b, 1);
    internal.flattenParameters([a, b]);
    const doubled = await addTo(t.ones([16]));
    expect(await values(doubled, a, later)).to.deep.equal([
      sixteen(0).map((x) => 2 * (x + 1)),
      sixteen(1),
      sixteen(101),
    ]);
    // `pending` reads what `a` was before it was assigned: still refused.
    const error = await t.evaluate(pending).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(t.StaleValueError);
  });

  it("are written and read by functions that were compiled before they were moved", async () => {
    const step = t.compile(() => {
      a.assign(t.add(b, 1));
      odd.assign(t.add(odd, 1));
    });
    const take = t.compile(() => a.assign(b));
    await step();
    await take();
    internal.flattenParameters([a, b, odd]);
    b.assign(t.tensor(sixteen(20)));
    await step();
    expect(await values(a, b, odd)).to.deep.equal([sixteen(21), sixteen(20), [9, 10, 11]]);
    await take();
    expect(await values(a)).to.deep.equal([sixteen(20)]);
  });

  it("may be moved while an evaluation is being planned", async () => {
    // At one of these moments it is.
    for (let ticks = 0; ticks < 12; ticks++) {
      const [c, d] = [t.variable(t.tensor(sixteen(0))), t.variable(t.tensor(sixteen(1)))];
      c.assign(t.add(d, 1));
      const evaluated = t.evaluate(c);
      for (let tick = 0; tick < ticks; tick++) await undefined;
      internal.flattenParameters([c, d]);
      await evaluated;
      expect(await values(c, d), `${ticks} ticks`).to.deep.equal([sixteen(2), sixteen(1)]);
      c.dispose();
      d.dispose();
    }
  });

  it("are arguments of functions that assign their neighbours, and themselves", async () => {
    internal.flattenParameters([a, b]);
    const take = t.compile((x: t.Tensor, y: t.Tensor) => {
      a.assign(t.add(x, 1));
      odd.assign(t.mul(y, 2));
      return x;
    });
    expect(await take(b, odd)).to.equal(b);
    expect(await values(a, b, odd)).to.deep.equal([sixteen(101), sixteen(100), [14, 16, 18]]);
    await take(a, odd);
    expect(await values(a, odd)).to.deep.equal([sixteen(102), [28, 32, 36]]);
  });

  it("take their neighbours' values, as they are and computed, all at once", async () => {
    internal.flattenParameters([a, b]);
    b.assign(t.mul(a, 3));
    await t.evaluate(b);
    expect(await values(a, b)).to.deep.equal([sixteen(0), sixteen(0).map((x) => 3 * x)]);
    b.assign(a);
    await t.evaluate(b);
    expect(await values(a, b)).to.deep.equal([sixteen(0), sixteen(0)]);
    const [oldA, oldB] = [a.value, t.add(b, 5)];
    a.assign(oldB);
    b.assign(oldA);
    await t.evaluate(a, b);
    expect(await values(a, b)).to.deep.equal([sixteen(5), sixteen(0)]);
    a.assign(t.add(t.tensor(sixteen(0)), 1));
    b.assign(t.add(a, 1));
    await t.evaluate(a, b);
    expect(await values(a, b)).to.deep.equal([sixteen(1), sixteen(2)]);
    const same = t.add(t.tensor(sixteen(0)), 7);
    a.assign(same);
    b.assign(same);
    await t.evaluate(a, b);
    expect(await values(a, b)).to.deep.equal([sixteen(7), sixteen(7)]);
  });

  it("give their memory back when the last of them goes", async () => {
    const { buffers } = testDevice();
    await moved(a, b);
    await releaseGarbage();
    const [before, pooled] = [buffers.live, buffers.pooledBytes];
    a.dispose();
    expect(buffers.live).to.equal(before);
    b.dispose();
    expect(buffers.live).to.equal(before - 1);
    // Nobody else would ask for a buffer of its size.
    expect(buffers.pooledBytes).to.equal(pooled);
  });

  it("start as zeros, even in reused memory", async () => {
    const used = internal.contiguousZeros([[16], [4, 4]]);
    for (const variable of used) variable.assign(t.ones(variable.shape));
    await t.evaluate(...used);
    for (const variable of used) variable.dispose();
    const fresh = internal.contiguousZeros([[16], [4, 4]]);
    expect(await values(...fresh)).to.deep.equal([new Array(16).fill(0), new Array(16).fill(0)]);
    for (const variable of fresh) variable.dispose();
  });

  it("swap their values without a copy", async () => {
    await moved(a, b);
    const read = t.compile(() => t.add(a, 0));
    (await read()).dispose();
    const old = t.mul(a, 2);
    internal.swap(a, b);
    expect(await values(a, b, await read())).to.deep.equal([sixteen(100), sixteen(0), sixteen(100)]);
    expect(await t.evaluate(old).catch((reason: unknown) => reason)).to.be.instanceOf(t.StaleValueError);
    expect(() => internal.swap(a, odd)).to.throw(
      t.ShapeError,
      /f32 \[16\] and f32 \[3\], but must have one shape and type/,
    );
    a.assign(t.mul(b, 2));
    expect(() => internal.swap(a, b)).to.throw(/evaluate what was assigned/);
    await t.evaluate(a);
    b.dispose();
    expect(() => internal.swap(a, b)).to.throw(t.StaleValueError, /was disposed of/);
    expect(await values(a)).to.deep.equal([sixteen(0).map((x) => 2 * x)]);
  });

  it("are stepped where they are after a swap of some of them", async () => {
    const [c, d] = [t.variable(t.tensor(sixteen(200))), t.variable(t.tensor(sixteen(300)))];
    await moved(a, b);
    await moved(c, d);
    const keep = t.ones([1]);
    const add = t.compile((x: t.Tensor) => {
      for (const variable of [a, b]) variable.assign(internal.accumulate(variable, t.add(x, variable), keep));
    });
    await add(t.zeros([16]));
    internal.swap(b, d);
    await add(t.zeros([16]));
    expect(await values(a, b, c, d)).to.deep.equal([
      sixteen(0).map((x) => 4 * x),
      sixteen(300).map((x) => 2 * x),
      sixteen(200),
      sixteen(100).map((x) => 2 * x),
    ]);
    c.dispose();
    d.dispose();
  });

  it("count what they take, wherever swaps have brought them", async () => {
    const others = internal.contiguousZeros([[16], [16], [3]]) as [t.Variable, t.Variable, t.Variable];
    await moved(a, b, odd);
    const each = bufferOf(a).size;
    expect(bufferOf(others[0]).size).to.equal(each);
    internal.swap(a, others[0]);
    expect(internal.heldBytes([a, b, odd])).to.equal(each);
    expect(internal.heldBytes(others)).to.equal(each);
    expect(internal.heldBytes([a, b, odd, ...others, a])).to.equal(2 * each);
    const own = t.variable(t.tensor(sixteen(0)));
    expect(internal.heldBytes([own])).to.equal(bufferOf(own).size);
    for (const variable of [own, ...others]) variable.dispose();
    expect(internal.heldBytes([own, ...others])).to.equal(0);
  });

  it("are seen under another shape as before, while they move and afterwards", async () => {
    const view = a.reshape([4, 4]);
    await t.evaluate(view);
    const pending = b.reshape([4, 4]);
    internal.flattenParameters([a, b]);
    const during = await Promise.all([view.data(), pending.data()]);
    expect(during.map((data) => [...data])).to.deep.equal([sixteen(0), sixteen(100)]);
    expect(await values(view, a)).to.deep.equal([sixteen(0), sixteen(0)]);
    a.dispose(); // the view has its memory still
    b.assign(t.add(b, 1));
    expect(await values(view, b)).to.deep.equal([sixteen(0), sixteen(101)]);
    view.dispose();
  });

  it("may be disposed of while they are being moved, twice", async () => {
    const { buffers, workspace } = testDevice();
    const live = () => buffers.live - workspace.count;
    await releaseGarbage();
    const before = live();
    for (let ticks = 0; ticks < 40; ticks++) {
      const [c, d] = [t.variable(t.tensor(sixteen(0))), t.variable(t.tensor(sixteen(1)))];
      internal.flattenParameters([c, d]);
      const evaluated = t.evaluate();
      if (ticks < 20) for (let tick = 0; tick < ticks; tick++) await undefined;
      else await new Promise((resolve) => setTimeout(resolve, (ticks - 20) / 10));
      c.dispose();
      c.dispose();
      await evaluated;
      expect(await values(d), `${ticks} ticks`).to.deep.equal([sixteen(1)]);
      d.dispose();
      d.dispose();
    }
    expect(live()).to.equal(before);
  });

  it("may be swapped while a function is on its way that changes one of them", async () => {
    const add = t.compile((x: t.Tensor) => {
      a.assign(t.add(a, x));
      return t.mul(x, 2);
    });
    const one = t.tensor([1]);
    for (let ticks = 0; ticks < 30; ticks++) {
      a.assign(t.tensor(sixteen(0)));
      b.assign(t.tensor(sixteen(100)));
      await t.evaluate(a, b);
      if (ticks % 3 === 0) internal.flattenParameters([a, b]);
      const added = add(one);
      for (let tick = 0; tick < ticks; tick++) await undefined;
      internal.swap(a, b);
      (await added).dispose();
      const [first, second] = await values(a, b);
      const before = first![0] === 101;
      const expected = before ? [sixteen(101), sixteen(0)] : [sixteen(100), sixteen(1)];
      expect([first, second], `${ticks} ticks`).to.deep.equal(expected);
    }
    one.dispose();
  });

  it("stay disposed of: what has their memory now keeps it", async () => {
    a.dispose();
    const next = t.tensor(sixteen(50));
    internal.flattenParameters([a, b]);
    expect(await values(next, b)).to.deep.equal([sixteen(50), sixteen(100)]);
  });

  it("may have no elements", async () => {
    const [none, one] = internal.contiguousZeros([[0], [1]]) as [t.Variable, t.Variable];
    none.assign(t.add(none, 1));
    one.assign(t.add(one, 1));
    await t.evaluate(none, one);
    expect(await values(none, one, t.exp(none))).to.deep.equal([[], [1], []]);
    none.dispose();
    one.dispose();
  });
});
