/** Variables that share buffers: what they are stays, whatever reads or writes them. */
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { testDevice } from "./device.hooks.ts";

const values = async (...tensors: t.Tensor[]): Promise<number[][]> =>
  Promise.all(tensors.map(async (tensor) => [...(await tensor.data())]));

const bufferOf = ({ home }: t.Variable): GPUBuffer => home.region.buffer;

/** [16] each: a multiple of every alignment. */
const sixteen = (first: number): number[] => Array.from({ length: 16 }, (_, k) => first + k);

describe("variables side by side", () => {
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
    t.moveSideBySide([a, odd, b]);
    expect(bufferOf(a)).to.equal(bufferOf(b)).and.to.equal(bufferOf(odd));
    const offsets = [a, b, odd].map(({ home }) => home.region.offset);
    const aligned = testDevice().gpu.limits.minStorageBufferOffsetAlignment <= 64;
    if (aligned) expect(offsets).to.deep.equal([0, 64, 128]);
    expect(await values(a, odd, b)).to.deep.equal([sixteen(0), [7, 8, 9], sixteen(100)]);
    expect(t.heldBytes([a, b, odd])).to.equal(bufferOf(a).size);
  });

  it("stay where they are when they are moved again", () => {
    t.moveSideBySide([a, b]);
    const shared = bufferOf(a);
    t.moveSideBySide([a, b, odd]);
    expect([bufferOf(a), bufferOf(b)]).to.deep.equal([shared, shared]);
    expect(bufferOf(odd)).to.not.equal(shared);
  });

  it("are what pending tensors and compiled functions meant before they were moved", async () => {
    const pending = t.add(a, b);
    const addTo = t.compile((x: t.Tensor) => {
      a.assign(t.add(a, x));
      return t.mul(a, 2);
    });
    (await addTo(t.zeros([16]))).dispose();
    const later = t.add(b, 1);
    t.moveSideBySide([a, b]);
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

  it("take their neighbours' values, as they are and computed, all at once", async () => {
    t.moveSideBySide([a, b]);
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

  it("give their memory back when the last of them goes", () => {
    const { buffers } = testDevice();
    t.moveSideBySide([a, b]);
    const before = buffers.live;
    a.dispose();
    expect(buffers.live).to.equal(before);
    b.dispose();
    expect(buffers.live).to.equal(before - 1);
  });

  it("begin as zeros, even in memory that was used before", async () => {
    const used = t.zerosSideBySide([[16], [4, 4]]);
    for (const variable of used) variable.assign(t.ones(variable.shape));
    await t.evaluate(...used);
    for (const variable of used) variable.dispose();
    const fresh = t.zerosSideBySide([[16], [4, 4]]);
    expect(await values(...fresh)).to.deep.equal([new Array(16).fill(0), new Array(16).fill(0)]);
    for (const variable of fresh) variable.dispose();
  });

  it("exchange their values without a copy", async () => {
    t.moveSideBySide([a, b]);
    const read = t.compile(() => t.add(a, 0));
    (await read()).dispose();
    const old = t.mul(a, 2);
    t.exchange(a, b);
    expect(await values(a, b, await read())).to.deep.equal([sixteen(100), sixteen(0), sixteen(100)]);
    expect(await t.evaluate(old).catch((reason: unknown) => reason)).to.be.instanceOf(t.StaleValueError);
    expect(() => t.exchange(a, odd)).to.throw(t.ShapeError, /f32 \[16\] and f32 \[3\], but must be alike/);
    a.assign(t.mul(b, 2));
    expect(() => t.exchange(a, b)).to.throw(/evaluate what was assigned/);
    await t.evaluate(a);
  });
});

describe("steps on variables side by side", () => {
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
  async function train(sideBySide: boolean): Promise<{ values: number[][]; steps: number }> {
    const fresh = (phase: number) => shapes.map((shape, k) => t.variable(wave(shape, phase + k)));
    const [parameters, targets] = [fresh(0), shapes.map((shape, k) => wave(shape, 9 + k))];
    const zeros = () => shapes.map((shape) => t.variable(t.zeros(shape)));
    const [first, second, averages, sums] = [zeros(), zeros(), zeros(), zeros()];
    if (sideBySide)
      for (const series of [parameters, first, second, averages, sums]) t.moveSideBySide(series);
    const part = t.compile((scale: t.Tensor, keep: t.Tensor) => {
      const loss = parameters
        .map((parameter, k) => t.square(t.sub(parameter, targets[k]!)).sum())
        .reduce((sum, term) => t.add(sum, term));
      const gradients = t.grad(t.mul(loss, scale), parameters);
      for (const [k, sum] of sums.entries()) sum.assign(t.accumulate(sum, gradients[k]!, keep));
    });
    const apply = t.compile((control: t.Tensor) => {
      const norm = t.sqrt(t.sumOfSquares(...sums));
      const mask = t.tensor([0, 0, 0, 0, 0, 0, 1, 0], [8], { dtype: "bool" });
      const scaled = t.where(mask, t.minimum(t.reciprocal(norm), 1), control);
      for (const [k, parameter] of parameters.entries()) {
        const next = t.adamAverageStep(
          {
            parameter,
            gradient: sums[k]!,
            firstMoment: first[k]!,
            secondMoment: second[k]!,
            average: averages[k]!,
            control: scaled,
          },
          settings,
        );
        parameter.assign(next.parameterNext);
        first[k]!.assign(next.firstMomentNext);
        second[k]!.assign(next.secondMomentNext);
        averages[k]!.assign(next.averageNext);
      }
    });
    let steps = 0;
    for (let count = 1; count <= 3; count++) {
      await part(t.tensor(0.25, []), t.tensor([0]));
      await part(t.tensor(0.5, []), t.tensor([1]));
      const control = t.tensor(t.adamControl({ ...settings, step: count, averageDecay: 0.5 }));
      const profiled = await t.profile(() => apply(control));
      steps = profiled.rows
        .filter(({ label }) => label.startsWith("adam"))
        .reduce((n, { count: c }) => n + c, 0);
    }
    const result = await values(...parameters, ...averages);
    for (const variable of [...parameters, ...first, ...second, ...averages, ...sums]) variable.dispose();
    return { values: result, steps };
  }

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
