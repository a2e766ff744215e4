/** Evaluation on a device: values, errors, memory, compiled functions, profiles. */
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { releaseGarbage, testDevice } from "./device.hooks.ts";

const rejection = async (promise: Promise<unknown>): Promise<Error> => {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  return expect.fail("nothing was thrown");
};

describe("creating", () => {
  it("gives back nested arrays", async () => {
    for (const values of [
      5,
      [1, 2, 3],
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      [[true], [false]],
      [[], []],
      [[[1], [2]]],
    ])
      expect(await t.tensor(values).toArray()).to.deep.equal(values);
  });

  it("takes nested arrays, flat lists and scalars", async () => {
    expect(
      t.tensor([
        [1, 2],
        [3, 4],
      ]).shape,
    ).to.deep.equal([2, 2]);
    expect(t.tensor([1, 2, 3, 4], [2, 2]).shape).to.deep.equal([2, 2]);
    expect(await t.tensor(5).item()).to.equal(5);
    expect([...(await t.arange(4, { dtype: "i32" }).data())]).to.deep.equal([0, 1, 2, 3]);
    expect([...(await t.tensor([true, false, true], [3], { dtype: "bool" }).data())]).to.deep.equal([
      1, 0, 1,
    ]);
  });

  it("refuses what does not fit", () => {
    expect(() => t.tensor([1, 2, 3], [2, 2])).to.throw(
      t.ShapeError,
      /3 values do not fill \[2, 2\], which needs 4/,
    );
    expect(() => t.tensor([[1, 2], [3]])).to.throw(t.ShapeError, /same lengths/);
  });

  it("stores float16 where the adapter has it", async function () {
    if (!testDevice().capabilities.f16) {
      console.log("      skipped: this adapter has no f16");
      return this.skip();
    }
    const x = t.tensor([1, 2, 1 / 3], [3], { dtype: "f16" });
    expect((await x.data())[2]).to.equal(0.333251953125);
    expect((await t.cast(x.mul(2), "f32").data())[1]).to.equal(4);
  });
});

describe("evaluating", () => {
  it("computes each value once and lets the graph go", async () => {
    const a = t.tensor([1, 2, 3]).exp();
    await t.evaluate(a);
    expect(a.evaluated).to.equal(true);
    expect(a.source.kind).to.equal("storage");
  });

  it("shares one buffer between a tensor and its views", async () => {
    const a = t.tensor([1, 2, 3, 4]);
    const b = a.reshape([2, 2]);
    await t.evaluate(b);
    a.dispose();
    expect([...(await b.data())]).to.deep.equal([1, 2, 3, 4]);
  });

  it("runs evaluations one after another, in the order asked for", async () => {
    const v = t.variable(t.tensor([0]));
    const all: Promise<void>[] = [];
    for (let k = 0; k < 5; k++) {
      v.assign(v.add(1));
      all.push(t.evaluate(v));
    }
    await Promise.all(all);
    expect(await v.item()).to.equal(5);
  });

  it("refuses values that are not tensors", async () => {
    const list = [t.tensor([1]), t.tensor([2])];
    const anything = t.evaluate as (...values: unknown[]) => Promise<void>;
    expect((await rejection(anything(list[0], list))).message).to.equal(
      "evaluate: argument 1 must be a Tensor, but is an array: spread it.",
    );
    expect((await rejection(anything({ x: 1 }))).message).to.match(
      /argument 0 must be a Tensor, but is an object/,
    );
    expect((await rejection(anything(undefined))).message).to.match(/argument 0 .* is undefined/);
  });

  it("refuses a disposed tensor", async () => {
    const a = t.tensor([1]);
    const b = a.add(1);
    a.dispose();
    expect(await rejection(t.evaluate(b))).to.be.instanceOf(t.StaleValueError);
  });

  it("names the limit when a tensor is too large for one binding", async () => {
    const { maxStorageBufferBindingSize } = testDevice().gpu.limits;
    const rows = Math.ceil(maxStorageBufferBindingSize / 4 / 4096) + 1;
    const error = await rejection(t.evaluate(t.broadcastTo(t.tensor([1]), [rows, 4096])));
    expect(error).to.be.instanceOf(t.LimitError);
    expect(error.message).to.match(
      /needs .* MiB in one buffer, but max\w+ of .* is .* MiB\. Use a smaller micro-batch/,
    );
  });

  it("reports what WebGPU refuses", async () => {
    const { gpu } = testDevice();
    gpu.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
    await gpu.queue.onSubmittedWorkDone();
    const error = await rejection(t.evaluate(t.tensor([1]).add(1)));
    expect(error).to.be.instanceOf(t.ValidationError);
    expect(await t.tensor([1]).add(1).item()).to.equal(2);
  });
});

describe("memory", () => {
  it("returns to its baseline", async () => {
    const work = async (): Promise<void> => {
      const a = t.tensor(new Float32Array(1000), [10, 100]);
      const y = t.sum(t.matmul(a, a, { transposeB: true }).exp());
      const [g] = t.grad(y, [a]);
      await t.evaluate(y, g!);
      for (const tensor of [a, y, g!]) tensor.dispose();
    };
    await work();
    await work();
    await releaseGarbage();
    const before = t.memory();
    for (let k = 0; k < 5; k++) await work();
    expect(t.memory()).to.deep.equal(before);
  });

  it("of a variable is free as soon as it is disposed of, however often it was assigned", async () => {
    const counted = async (): Promise<t.Variable> => {
      const v = t.variable(t.tensor(new Float32Array(1000)));
      for (let k = 0; k < 3; k++) {
        v.assign(v.add(1));
        await t.evaluate(v);
      }
      v.dispose();
      return v;
    };
    await counted(); // makes room for intermediates
    await releaseGarbage();
    const { buffers } = t.memory();
    const v = await counted();
    expect(t.memory().buffers).to.equal(buffers);
    expect(await rejection(t.evaluate(v.add(1)))).to.be.instanceOf(t.StaleValueError);
  });
});

describe("compile", () => {
  it("runs the function once for each signature and replays afterwards", async () => {
    let runs = 0;
    const double = t.compile((x: t.Tensor) => {
      runs++;
      return { y: x.mul(2), list: [x, x.sum()] };
    });
    const first = await double(t.tensor([1, 2]));
    const second = await double(t.tensor([3, 4]));
    await double(t.tensor([1, 2, 3]));
    expect(runs).to.equal(2);
    expect([...(await first.y.data()), ...(await second.y.data())]).to.deep.equal([2, 4, 6, 8]);
    expect(await second.list[1]!.item()).to.equal(7);
  });

  it("updates variables, and sees assignments made outside", async () => {
    const w = t.variable(t.tensor([4]));
    const step = t.compile((x: t.Tensor) => {
      const { value, gradients } = t.valueAndGrad(() => t.square(w.sub(x)).sum(), [w])();
      w.assign(w.sub(gradients[0]!.mul(0.25)));
      return value;
    });
    expect(await (await step(t.tensor([0]))).item()).to.equal(16);
    expect(await w.item()).to.equal(2);
    w.assign(t.tensor([10]));
    expect(await (await step(t.tensor([0]))).item()).to.equal(100);
    expect(await w.item()).to.equal(5);
  });

  it("refuses a pending tensor from outside", async () => {
    const pending = t.tensor([1]).add(1);
    const error = await rejection(t.compile((x: t.Tensor) => x.add(pending))(t.tensor([1])));
    expect(error.message).to.match(/uses the result of elementwise, recorded outside and not evaluated/);
  });
});

describe("gradients", () => {
  it("say what is wrong", async () => {
    const [a, b] = [t.tensor([1, 2]), t.tensor([3])];
    expect(() => t.grad(a.mul(2), [a])).to.throw(t.ShapeError, /must have one element but is \[2\]/);
    expect(() => t.grad(a.sum(), [a, b])).to.throw(/does not depend on input 1 \[1\]/);
    expect([...(await t.grad(a.sum(), [a, b], { allowUnused: true })[1]!.data())]).to.deep.equal([0]);
    const loss = a.square().sum();
    await t.evaluate(loss);
    expect(() => t.grad(loss, [a])).to.throw(/already evaluated and its graph is gone/);
  });

  it("of gradients: second derivatives", async () => {
    const x = t.tensor([0.5, -1, 2]);
    const [first] = t.grad(t.pow(x, 3).sum(), [x]);
    const [second] = t.grad(first!.sum(), [x]);
    const got = [...(await second!.data())];
    for (const [k, expected] of [3, -6, 12].entries()) expect(got[k]).to.be.closeTo(expected, 1e-4);
  });

  it("do not compute the weight gradient of a frozen layer", () => {
    const x = t.tensor(new Float32Array(2 * 16), [1, 4, 4, 2]);
    const w = t.tensor(new Float32Array(36), [3, 3, 2, 2]);
    const [g] = t.grad(t.conv2d(x, w, { padding: 1 }).sum(), [x]);
    expect(t.explain(g!))
      .to.match(/conv2dInputGradient/)
      .and.not.match(/WeightGradient/);
  });
});

describe("recompute", () => {
  it("needs less memory for the same gradients", async () => {
    const x = t.tensor(
      Float32Array.from({ length: 64 * 64 }, (_, k) => Math.sin(k)),
      [64, 64],
    );
    const block = (input: t.Tensor): t.Tensor => {
      let y = input;
      for (let k = 0; k < 4; k++) y = t.softmax(t.matmul(y, y));
      return y;
    };
    const gradientOf = (fn: (input: t.Tensor) => t.Tensor): t.Tensor => {
      let y: t.Tensor = x;
      for (let k = 0; k < 4; k++) y = fn(y);
      return t.grad(t.square(y).sum(), [x])[0]!;
    };
    const [plain, saved] = [gradientOf(block), gradientOf(t.recompute(block))];
    const peak = (text: string): number => Number(/at least ([\d.]+) MB/.exec(text)![1]);
    expect(peak(t.explain(saved))).to.be.below(0.7 * peak(t.explain(plain)));
    expect(await saved.data()).to.deep.equal(await plain.data());
  });

  it("counts what all blocks share once for each way it takes", async () => {
    const shared = t.tensor([0.3, -0.7, 1.1]);
    const block = (y: t.Tensor, s: t.Tensor): t.Tensor => t.add(t.softmax(t.mul(y, s)), y);
    const gradientOf = (fn: typeof block): t.Tensor => {
      let y = t.mul(shared, 2);
      for (let k = 0; k < 8; k++) y = fn(y, shared);
      return t.grad(t.square(y).sum(), [shared])[0]!;
    };
    const [plain, saved] = [gradientOf(block), gradientOf(t.recompute(block))];
    const dispatches = (text: string): number => Number(/, (\d+) dispatches/.exec(text)![1]);
    expect(dispatches(t.explain(saved))).to.be.below(2 * dispatches(t.explain(plain)));
    const [expected, got] = [await plain.data(), await saved.data()];
    for (const [i, value] of expected.entries()) expect(got[i]).to.be.closeTo(value, 1e-4 * Math.abs(value));
  });
});

describe("profile", () => {
  it("tells time, work and traffic of each kernel", async function () {
    if (!testDevice().gpu.features.has("timestamp-query")) {
      console.log("      skipped: this adapter has no timestamp queries");
      return this.skip();
    }
    const a = t.tensor(new Float32Array(128 * 128), [128, 128]);
    const { rows } = await t.profile(() => t.matmul(a, a).data());
    const row = rows.find(({ label }) => label.startsWith("matmul/"))!;
    expect(row.count).to.equal(1);
    expect(row.microseconds).to.be.greaterThan(0);
    expect(row.gflops).to.be.closeTo((2 * 128 ** 3) / row.microseconds / 1e3, 1e-6);
  });

  it("of more dispatches than one set of queries has room for", async function () {
    if (!testDevice().gpu.features.has("timestamp-query")) return this.skip();
    const count = 2100;
    const { rows } = await t.profile(async () => {
      let product = t.tensor([1], [1, 1]);
      for (let k = 0; k < count; k++) product = product.matmul(product);
      return product.data();
    });
    expect(rows.reduce((sum, row) => sum + row.count, 0)).to.equal(count);
    for (const { microseconds } of rows) expect(microseconds).to.be.greaterThan(0);
  });
});
