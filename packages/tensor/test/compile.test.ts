/** Compiled functions: what a failed call leaves behind, what a call reads, what is refused, how many signatures are kept. */
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { rejection, ticks, values } from "./reading.ts";

describe("a compiled function that fails", () => {
  it("leaves variables as they were, in whichever step it fails", async () => {
    const v = t.variable(t.tensor([0, 0]));
    const x = t.tensor([1, 2]);
    const failures: Record<string, (x: t.Tensor) => unknown> = {
      "while it records": (x) => {
        v.assign(v.add(x));
        return x.reshape([999]);
      },
      "with an error of its own": (x) => {
        v.assign(x.mul(2));
        throw new RangeError("not from the library");
      },
      "with a promise": (x) => {
        v.assign(v.add(x));
        return Promise.reject(new Error("nobody waits for it"));
      },
      "with a tensor from outside": (() => {
        const pending = x.mul(5);
        return () => {
          v.assign(v.add(1));
          return pending;
        };
      })(),
    };
    for (const [name, fn] of Object.entries(failures)) {
      const error = await rejection(t.compile(fn as (x: t.Tensor) => t.Tensor)(x));
      expect(error, name).to.be.instanceOf(Error);
      expect(v.pending, name).to.equal(false);
      expect(await values(v), name).to.deep.equal([[0, 0]]);
    }
    v.dispose();
    x.dispose();
  });

  it("leaves variables as they were where the adapter cannot run it", async () => {
    const v = t.variable(t.tensor([3]));
    const { largestTensor } = t.currentDevice();
    const count = Math.ceil(largestTensor / 4) + 1;
    const grow = t.compile((x: t.Tensor) => {
      v.assign(v.add(1));
      return t.broadcastTo(x, [count]).mul(2).add(v);
    });
    const x = t.tensor([1]);
    expect(await rejection(grow(x))).to.be.instanceOf(t.LimitError);
    expect(v.pending).to.equal(false);
    expect(await values(v)).to.deep.equal([[3]]);
    v.dispose();
    x.dispose();
  });

  it("keeps what was assigned before it, and works once nothing is wrong", async () => {
    const v = t.variable(t.tensor([1]));
    const x = t.tensor([10]);
    let fail = true;
    const step = t.compile((x: t.Tensor) => {
      v.assign(v.add(x));
      if (fail) throw new Error("wrong");
      return v.mul(2);
    });
    v.assign(v.mul(5));
    await rejection(step(x));
    expect(v.pending).to.equal(true);
    fail = false;
    const results = [await step(x), await step(x)];
    expect(await values(...results, v)).to.deep.equal([[30], [50], [25]]);
    for (const tensor of [...results, v, x]) tensor.dispose();
  });
});

describe("a compiled function", () => {
  it("reads what is pending in a variable at every call, the first included", async () => {
    const v = t.variable(t.tensor([1]));
    const read = t.compile(() => v.mul(2));
    const results: t.Tensor[] = [];
    for (const value of [5, 6, 7]) {
      v.assign(t.tensor([value]));
      results.push(await read());
    }
    v.assign(v.add(1));
    results.push(await read());
    expect(await values(...results)).to.deep.equal([[10], [12], [14], [16]]);
    for (const tensor of [...results, v]) tensor.dispose();
  });

  it("takes variables as arguments as they are at the moment of the call", async () => {
    const v = t.variable(t.tensor([1]));
    const double = t.compile((x: t.Tensor) => x.mul(2));
    const calls: Promise<t.Tensor>[] = [];
    for (let k = 0; k < 3; k++) {
      v.assign(v.add(1));
      calls.push(double(v));
    }
    v.assign(t.tensor([100]));
    const overwritten = t.evaluate(v);
    const results = await Promise.all(calls);
    await overwritten;
    expect(await values(...results, v)).to.deep.equal([[4], [6], [8], [100]]);
    for (const tensor of [...results, v]) tensor.dispose();
  });

  it("never loses what is assigned while it runs", async () => {
    const v = t.variable(t.tensor([1]));
    const x = t.tensor([1]);
    const step = t.compile((x: t.Tensor) => v.assign(v.add(x)));
    await step(x);
    for (let k = 0; k < 30; k++) {
      const running = step(x);
      await ticks(k);
      v.assign(t.tensor([50]));
      await running;
      // Before its turn the step adds to it, afterwards it has the last word.
      expect(await v.item()).to.be.oneOf([50, 51]);
    }
    for (const tensor of [v, x]) tensor.dispose();
  });

  it("cannot be async, and its arguments are tensors", async () => {
    const ran: string[] = [];
    const late = async (x: t.Tensor): Promise<void> => {
      ran.push(String(x));
    };
    expect(() => t.compile(late as unknown as (x: t.Tensor) => void)).to.throw(
      t.UsageError,
      /^compile: the function is async, but it may only record operations/,
    );
    expect(ran).to.deep.equal([]);
    const x = t.tensor([1]);
    const promising = t.compile(((x: t.Tensor) => Promise.resolve(x)) as unknown as (
      x: t.Tensor,
    ) => t.Tensor);
    expect(await rejection(promising(x))).to.be.instanceOf(t.UsageError);
    const double = t.compile((x: t.Tensor) => x.mul(2));
    const error = await rejection(double(3 as unknown as t.Tensor));
    expect(error).to.be.instanceOf(TypeError);
    expect(error.message).to.equal("compile: argument 0 must be a Tensor, but is 3.");
    x.dispose();
  });

  it("remembers the 64 signatures used last", async () => {
    let recorded = 0;
    const double = t.compile((x: t.Tensor) => {
      recorded++;
      return x.mul(2);
    });
    const call = async (length: number): Promise<void> => {
      const x = t.ones([length]);
      const y = await double(x);
      expect((await y.data()).length).to.equal(length);
      for (const tensor of [x, y]) tensor.dispose();
    };
    for (let length = 1; length <= 64; length++) await call(length);
    expect(recorded).to.equal(64);
    await call(1); // used last from here on
    await call(65); // in the place of 2
    expect(recorded).to.equal(65);
    for (const length of [1, 3, 64, 65]) await call(length);
    expect(recorded).to.equal(65);
    await call(2);
    expect(recorded).to.equal(66);
  });
});
