/** Out of memory: the caller gets the error, nothing is lost, and later work that fits runs. */
import * as t from "@ddad/tensor";
import * as internal from "@ddad/tensor/internal";
import { expect } from "chai";
import { releaseGarbage, testDevice } from "./device.hooks.ts";
import { withMemory } from "./limitedMemory.ts";

const values = async (...tensors: t.Tensor[]): Promise<number[][]> =>
  Promise.all(tensors.map(async (tensor) => [...(await tensor.data())]));

const bufferOf = ({ storage }: t.Variable): GPUBuffer => storage.region.buffer;

const sixteen = (first: number): number[] => Array.from({ length: 16 }, (_, k) => first + k);

const KiB = 1024;

/** [elements], nothing but `value`. */
const filled = (elements: number, value: number): t.Tensor => t.full([elements], value);

describe("out of memory", () => {
  let context: Mocha.Context;

  beforeEach(function () {
    context = this;
    // What waits in the pool would be handed out without asking the adapter.
    testDevice().buffers.trim();
  });

  async function limited<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    const done = await withMemory(testDevice(), bytes, work);
    if (done) return done.result;
    console.log("      this adapter has memory for any buffer: it cannot be made to run out of it");
    return context.skip();
  }

  const refused = async (work: Promise<unknown>): Promise<void> => {
    const error = await work.then(
      () => expect.fail("nothing was thrown"),
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(t.OutOfMemoryError);
    expect((error as Error).message)
      .to.match(/out of memory/)
      .and.to.match(/Use a smaller micro-batch or smaller images/);
  };

  it("variables stay where they are, with their values, when they cannot be made contiguous", async () => {
    const variables = [0, 100, 200].map((first) => t.variable(t.tensor(sixteen(first))));
    const [a, b, c] = variables as [t.Variable, t.Variable, t.Variable];
    const pending = t.add(a, b);
    const places = variables.map(bufferOf);
    await limited(0, async () => {
      internal.flattenParameters(variables);
      await refused(t.evaluate());
    });
    expect(variables.map(bufferOf)).to.deep.equal(places);
    b.assign(t.add(c, 1));
    expect(await values(a, b, c)).to.deep.equal([sixteen(0), sixteen(201), sixteen(200)]);
    const stale = await t.evaluate(pending).catch((reason: unknown) => reason);
    expect(stale).to.be.instanceOf(t.StaleValueError);
    internal.flattenParameters(variables);
    await t.evaluate();
    expect(new Set(variables.map(bufferOf)).size).to.equal(1);
    expect(await values(a, b, c)).to.deep.equal([sixteen(0), sixteen(201), sixteen(200)]);
    for (const variable of variables) variable.dispose();
  });

  it("none of them moves when there is room for the first shared buffer only", async () => {
    const large = t.variable(t.zeros([2 ** 24]));
    const small = t.variable(t.tensor(sixteen(0)));
    const places = [large, small].map(bufferOf);
    await limited(2 ** 26, async () => {
      internal.flattenParameters([large, small]);
      await refused(t.evaluate());
      expect([large, small].map(bufferOf)).to.deep.equal(places);
      // What the first one took is free again.
      const other = t.variable(t.ones([2 ** 24]));
      await t.evaluate();
      other.dispose();
    });
    expect(await values(small)).to.deep.equal([sixteen(0)]);
    for (const variable of [large, small]) variable.dispose();
  });

  it("variables of zeros cannot be used, and leave nothing behind", async () => {
    const kept = t.variable(t.tensor(sixteen(0)));
    const { buffers, workspace } = testDevice();
    const live = (): number => buffers.live - workspace.count;
    await releaseGarbage();
    const before = live();
    const zeros = await limited(0, async () => {
      const made = internal.contiguousZeros([[16], [16]]);
      kept.assign(t.add(kept, made[0]!));
      await refused(t.evaluate(kept));
      return made;
    });
    await refused(t.evaluate(kept));
    await refused(t.evaluate(t.exp(zeros[1]!)));
    const read = t.compile(() => t.exp(zeros[1]!));
    await refused(read());
    for (const variable of zeros) variable.dispose();
    expect(live()).to.equal(before);
    kept.assign(t.mul(kept.committed, 2));
    expect(await values(kept)).to.deep.equal([sixteen(0).map((x) => 2 * x)]);
    kept.dispose();
  });

  it("a buffer that there was no memory for is never handed out again", async () => {
    await limited(0, async () => {
      const early = t.tensor(sixteen(0));
      early.dispose(); // before anybody knows
      const late = t.tensor(sixteen(0));
      await refused(t.evaluate());
      await refused(t.evaluate(late.add(1)));
      late.dispose();
    });
    const next = [t.tensor(sixteen(0)), t.tensor(sixteen(1))];
    expect(await values(...next)).to.deep.equal([sixteen(0), sixteen(1)]);
    for (const tensor of next) tensor.dispose();
  });

  it("tensors that are made together are there all of them, or none; variables keep what they held", async () => {
    const variables = [0, 1, 2].map((value) => t.variable(filled(KiB, value)));
    await limited(2 * 4 * KiB, async () => {
      const loaded = internal.allOrNone(() => [5, 6, 7].map((value) => filled(KiB, value)));
      for (const [k, variable] of variables.entries()) variable.assign(loaded[k]!);
      await refused(t.evaluate(variables[0]!));
    });
    expect(await values(...variables)).to.deep.equal([0, 1, 2].map((value) => new Array(KiB).fill(value)));
    for (const variable of variables) variable.dispose();
  });

  it("an evaluation without room for its results changes nothing, and succeeds once there is some", async () => {
    const count = t.variable(t.tensor([1]));
    const x = filled(KiB, 3);
    const step = t.compile((y: t.Tensor) => {
      count.assign(t.add(count, 1));
      return t.mul(y, 2);
    });
    (await step(x)).dispose();
    testDevice().buffers.trim();
    const y = t.add(x, count);
    await limited(4 * KiB - 1, async () => {
      await refused(step(x));
      await refused(t.evaluate(y));
    });
    expect(y.evaluated).to.equal(false);
    expect(await count.item()).to.equal(2);
    const doubled = await step(x);
    expect((await values(doubled, count)).map(([first]) => first)).to.deep.equal([6, 3]);
    for (const tensor of [doubled, x, count]) tensor.dispose();
  });

  it("reading without room for the copy is refused, and works once there is some", async () => {
    const x = filled(KiB, 3);
    await limited(0, () => refused(x.data()));
    expect((await x.data())[KiB - 1]).to.equal(3);
    x.dispose();
  });

  it("an evaluation gives up what waits in the pool before it fails", async () => {
    const x = filled(2 * KiB, 3);
    const y = x.mul(2);
    await limited(12 * KiB, async () => {
      const released = [0, 1].map((value) => filled(KiB, value));
      await t.evaluate();
      for (const tensor of released) tensor.dispose();
      expect(testDevice().buffers.pooledBytes).to.equal(8 * KiB);
      await t.evaluate(y);
    });
    expect((await y.data())[2 * KiB - 1]).to.equal(6);
    for (const tensor of [x, y]) tensor.dispose();
  });

  it("a plan gives up the intermediates of those that are not running before it fails", async () => {
    const products = [200, 220, 400, 5500].map((size) => {
      const [a, b] = [t.ones([size, 2]), t.ones([2, size])];
      return { size, operands: [a, b], sum: t.compile(() => t.matmul(a, b).sum()) };
    });
    const { workspace } = testDevice();
    /** Takes 4 × size² bytes between its kernels. */
    const check = async ({ size, sum }: (typeof products)[number]): Promise<void> => {
      const result = await sum();
      expect(await result.item()).to.equal(2 * size ** 2);
      result.dispose();
    };
    const [first, second, tooLarge, farTooLarge] = products as [
      (typeof products)[0],
      (typeof products)[0],
      (typeof products)[0],
      (typeof products)[0],
    ];
    await limited(300e3, async () => {
      // Earlier tests have left their intermediates, in which much has room.
      await refused(check(farTooLarge));
      expect(workspace.bytes).to.equal(0);
      for (const product of [first, second, first, first]) await check(product);
      expect(workspace.bytes).to.be.within(4 * 200 ** 2, 300e3);
      await refused(check(tooLarge));
      expect(workspace.bytes).to.equal(0);
      await check(first);
    });
    await check(tooLarge);
    for (const tensor of products.flatMap(({ operands }) => operands)) tensor.dispose();
  });
});
