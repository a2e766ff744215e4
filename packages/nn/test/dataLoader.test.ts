/** Batches: what samples become, their order, and how they are loaded. */
import { ShapeError, type Tensor, tensor, UsageError } from "@ddad/tensor";
import { expect } from "chai";
import { releaseGarbage, testDevice } from "../../tensor/test/device.hooks.ts";
import { collate } from "../src/data/collate.ts";
import { DataLoader } from "../src/data/dataLoader.ts";

const values = async (x: Tensor): Promise<number[]> => [...(await x.data())];
const range = (count: number): number[] => Array.from({ length: count }, (_, k) => k);

async function read<B>(loader: AsyncIterable<B>): Promise<B[]> {
  const all: B[] = [];
  for await (const batch of loader) all.push(batch);
  return all;
}

/** Batches of numbers as lists. */
const lists = async (loader: AsyncIterable<Tensor>): Promise<number[][]> =>
  Promise.all((await read(loader)).map(values));

const reasonOf = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => expect.fail("nothing was thrown"),
    (reason: Error) => reason,
  );

describe("collate", () => {
  it("makes one tensor of each value, in the type of the data or a given one", async () => {
    const sample = (k: number) => ({
      image: { data: Uint8Array.of(k, 2, 3, 4, 5, 6), shape: [2, 1, 3] },
      pixels: Float32Array.of(k, k + 1),
      label: k,
      box: [
        [k, 2],
        [3, 4],
      ],
      good: k > 0,
      meta: { id: `image ${k}`, tensor: tensor([k, k]) },
    });
    const batch = collate([sample(0), sample(1)], { label: "i32" });
    const label: Tensor<"i32"> = batch.label;
    const image: Tensor<"u32"> = batch.image;
    const good: Tensor<"bool"> = batch.good;
    expect([image, batch.pixels, label, batch.box, good, batch.meta.tensor].map(String)).to.deep.equal([
      "Tensor u32 [2, 2, 1, 3]",
      "Tensor f32 [2, 2]",
      "Tensor i32 [2]",
      "Tensor f32 [2, 2, 2]",
      "Tensor bool [2]",
      "Tensor f32 [2, 2]",
    ]);
    expect(batch.meta.id).to.deep.equal(["image 0", "image 1"]);
    expect([...(await image.data())]).to.deep.equal([0, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6]);
    expect(await values(batch.box)).to.deep.equal([0, 2, 3, 4, 1, 2, 3, 4]);
    expect(await values(batch.meta.tensor)).to.deep.equal([0, 0, 1, 1]);
    expect([...(await good.data())].map(Number)).to.deep.equal([0, 1]);
  });

  it("takes tuples value by value, and plain numbers and arrays as they are", async () => {
    const samples: [Float32Array, number][] = [
      [Float32Array.of(1, 2), 3],
      [Float32Array.of(4, 5), 6],
    ];
    const [x, y] = collate(samples, { 1: "i32" });
    expect([String(x), String(y)]).to.deep.equal(["Tensor f32 [2, 2]", "Tensor i32 [2]"]);
    expect(await values(collate([1, 2, 3]))).to.deep.equal([1, 2, 3]);
    expect(String(collate([[1, 2]]))).to.equal("Tensor f32 [1, 2]");
    expect(String(collate([7, 8], "i32"))).to.equal("Tensor i32 [2]");
    const pairs = collate([[Int32Array.of(1), Int32Array.of(2)]]);
    expect(pairs.map(String)).to.deep.equal(["Tensor i32 [1, 1]", "Tensor i32 [1, 1]"]);
  });

  it("takes an array beside a number as a tuple", async () => {
    const [x, y] = collate([
      [[1, 2], 0],
      [[3, 4], 1],
    ] as readonly (readonly [number[], number])[]) as unknown as readonly Tensor[];
    expect(await x!.toArray()).to.deep.equal([
      [1, 2],
      [3, 4],
    ]);
    expect(await y!.toArray()).to.deep.equal([0, 1]);
    expect(() => collate([[[1, 2], [3]]])).to.throw(ShapeError, /row 0 is \[2\] and row 1 \[1\]/);
  });

  it("refuses samples of different shapes", () => {
    expect(() => collate([])).to.throw(RangeError, "collate: there are no samples.");
    expect(() => collate([{ x: [1, 2] }, { x: [1] }])).to.throw(
      "collate: x of sample 0 is [2], but x of sample 1 is [1]. Give them one shape, or pass a collate.",
    );
    expect(() => collate<object>([{ x: 1 }, { y: 1 }])).to.throw(
      "sample 0 has the values x, but sample 1 has y",
    );
    expect(() => collate([tensor([1]), tensor([1, 2])])).to.throw(
      /0 is Tensor f32 \[1\], but sample 1 is Tensor f32 \[2\]/,
    );
  });
});

describe("DataLoader", () => {
  it("cuts arrays into batches; the last may be smaller, or is left out", async () => {
    const loader = new DataLoader(range(5), { batchSize: 2 });
    expect(loader.length).to.equal(3);
    expect(await lists(loader)).to.deep.equal([[0, 1], [2, 3], [4]]);
    const whole = new DataLoader(range(5), { batchSize: 2, dropLast: true });
    expect(whole.length).to.equal(2);
    expect(await lists(whole)).to.deep.equal([
      [0, 1],
      [2, 3],
    ]);
    expect(await lists(new DataLoader([7, 8]))).to.deep.equal([[7], [8]]);
    expect(await lists(new DataLoader([] as number[]))).to.deep.equal([]);
  });

  it("shuffles each epoch anew, the same way for the same seed", async () => {
    const epochs = async (seed: number) => {
      const loader = new DataLoader(range(50), { batchSize: 50, shuffle: true, seed });
      return [...(await lists(loader)), ...(await lists(loader))];
    };
    const [first, second] = await epochs(1);
    expect(first).not.to.deep.equal(second);
    for (const order of [first, second]) {
      expect(order).not.to.deep.equal(range(50));
      expect(order!.toSorted((a, b) => a - b)).to.deep.equal(range(50));
    }
    expect(await epochs(1)).to.deep.equal([first, second]);
    expect((await epochs(2))[0]).not.to.deep.equal(first);
    const resumed = new DataLoader(range(50), { batchSize: 50, shuffle: true, seed: 1 });
    resumed.epoch = 1;
    expect(await lists(resumed)).to.deep.equal([second]);
  });

  it("shuffles without favour", async () => {
    const loader = new DataLoader(range(4), { batchSize: 4, shuffle: true, collate: (samples) => samples });
    const counts = range(4).map(() => range(4).map(() => 0));
    for (let epoch = 0; epoch < 2000; epoch++) {
      for await (const order of loader)
        for (const [place, value] of order.entries()) counts[place]![value]!++;
    }
    for (const count of counts.flat()) expect(count).to.be.within(400, 600);
  });

  it("reads data sets, iterables, async iterables and functions that make them", async () => {
    async function* numbers(): AsyncGenerator<number> {
      for (const value of range(3)) yield value;
    }
    const dataset = { length: 3, get: async (index: number) => index };
    const expected = [[0, 1], [2]];
    for (const source of [dataset, new Set(range(3)), numbers(), numbers, () => range(3)]) {
      const loader = new DataLoader<number>(source, { batchSize: 2 });
      expect(await lists(loader), String(source)).to.deep.equal(expected);
    }
    const twice = new DataLoader(numbers, { batchSize: 2 });
    await read(twice);
    expect(twice.length).to.equal(undefined);
    expect(await lists(twice)).to.deep.equal(expected);
    const once = new DataLoader(numbers());
    await read(once);
    expect((await reasonOf(read(once))).message).to.match(
      /can be read only once, and it has been\. Pass a function/,
    );
    const stream = new ReadableStream<number>({
      start(controller) {
        for (const value of range(3)) controller.enqueue(value);
        controller.close();
      },
    });
    expect(await lists(new DataLoader(stream as AsyncIterable<number>, { batchSize: 2 }))).to.deep.equal(
      expected,
    );
  });

  it("passes whole batches on as they are", async () => {
    const batches = [{ x: tensor([1, 2]) }, { x: tensor([3]) }];
    expect(await read(new DataLoader(batches, { batchSize: null }))).to.deep.equal(batches);
  });

  it("loads ahead, in order, and no further than `prefetch`", async () => {
    for (const prefetch of [0, 2]) {
      const asked: number[] = [];
      const dataset = {
        length: 8,
        async get(index: number) {
          asked.push(index);
          await new Promise((resolve) => setTimeout(resolve, index % 2 ? 1 : 3));
          return index;
        },
      };
      const loader = new DataLoader(dataset, { prefetch, collate: ([value]) => value! });
      const seen: number[] = [];
      for await (const value of loader) {
        seen.push(value);
        const most = Math.min(8, seen.length + prefetch);
        for (let wait = 0; wait < 400 && asked.length < most; wait++) {
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
        expect(asked).to.deep.equal(range(most));
      }
      expect(seen).to.deep.equal(range(8));
    }
  });

  it("stops the source where the loop is left, and frees what was loaded ahead", async () => {
    let stopped = false;
    function* endless(): Generator<Float32Array> {
      try {
        for (;;) yield new Float32Array(64);
      } finally {
        stopped = true;
      }
    }
    const { buffers } = testDevice();
    await releaseGarbage();
    const before = buffers.live;
    for await (const batch of new DataLoader(endless, { batchSize: 2, prefetch: 3 })) {
      batch.dispose();
      break;
    }
    expect(stopped).to.equal(true);
    expect(buffers.live).to.equal(before);
  });

  it("throws what the source throws, after the batches before it", async () => {
    const dataset = {
      length: 4,
      get(index: number) {
        if (index === 2) throw new Error("file 2 is damaged");
        return index;
      },
    };
    const seen: Tensor[] = [];
    const work = async (): Promise<void> => {
      for await (const batch of new DataLoader(dataset)) seen.push(batch);
    };
    expect((await reasonOf(work())).message).to.equal("file 2 is damaged");
    expect(seen).to.have.length(2);
  });

  it("refuses what it cannot do", () => {
    const made = (source: unknown, options?: object) => () => new DataLoader(source as number[], options);
    expect(made([1], { batch_size: 2 })).to.throw(
      UsageError,
      "DataLoader: there is no option batch_size. Use batchSize.",
    );
    expect(made([1], { batchSize: 0 })).to.throw(
      RangeError,
      /whole number from 1 on, or null, but is the number 0/,
    );
    expect(made([1], { prefetch: -1 })).to.throw(
      RangeError,
      /prefetch must be a whole number from 0 on, but is the number -1/,
    );
    expect(made(5)).to.throw(UsageError, /source must be an array, an object with length and get/);
    expect(made(new Set([1]), { shuffle: true })).to.throw(
      UsageError,
      /only arrays and objects .* can be shuffled/,
    );
  });
});
