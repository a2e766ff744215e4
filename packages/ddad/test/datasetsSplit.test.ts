import { expect } from "chai";
import { readSplit, splitFile, writeSplit } from "../../node/src/datasets/splitFile.ts";
import { Tree } from "../../node/test/datasetsTree.ts";
import { type Dataset, datasetFormats, type Sample } from "../src/data/sample.ts";
import { divideByHash, isTestImage, recordSplit, splitChanges, splitHeldOut } from "../src/data/split.ts";
import { DataError } from "../src/errors.ts";

const samples = (count: number): Sample[] =>
  Array.from({ length: count }, (_, i) => ({
    id: `train/good/${i}.png`,
    path: `${i}.png`,
    label: 0,
    kind: "good",
  }));

const ids = (list: readonly Sample[]): string[] => list.map(({ id }) => id);

const seed = 42;

describe("splitHeldOut", () => {
  it("divides without loss, keeping the order, near the share", () => {
    const all = samples(1000);
    const { train, heldOut } = splitHeldOut(all, { fraction: 0.2, seed });
    // 200 expected, deviation 12.6: four deviations.
    expect(heldOut.length).to.be.within(150, 250);
    expect(all.filter((sample) => train.includes(sample))).to.deep.equal(train);
    expect([...train, ...heldOut]).to.have.members(all);
  });

  it("does not depend on the order, but on the seed", () => {
    const { heldOut } = splitHeldOut(samples(40), { fraction: 0.25, seed });
    const reversed = splitHeldOut(samples(40).reverse(), { fraction: 0.25, seed });
    expect(ids(reversed.heldOut).sort()).to.deep.equal(ids(heldOut).sort());
    expect(ids(splitHeldOut(samples(40), { fraction: 0.25, seed: 7 }).heldOut)).to.not.deep.equal(
      ids(heldOut),
    );
  });

  it("moves no image when others are added or removed", () => {
    const before = splitHeldOut(samples(200), { fraction: 0.1, seed });
    const after = splitHeldOut(samples(300), { fraction: 0.1, seed });
    expect(ids(after.heldOut)).to.include.members(ids(before.heldOut));
    expect(ids(after.train)).to.include.members(ids(before.train));
    const fewer = splitHeldOut(samples(200).slice(50), { fraction: 0.1, seed });
    expect(ids(before.heldOut)).to.include.members(ids(fewer.heldOut));
  });

  it("does not take the first ones", () => {
    const { heldOut } = splitHeldOut(samples(100), { fraction: 0.1, seed });
    expect(Math.max(...heldOut.map(({ path }) => Number.parseInt(path, 10)))).to.be.greaterThan(50);
  });

  it("holds at least two of a few out, and trains on one at least", () => {
    for (let some = 0; some < 20; some++) {
      expect(splitHeldOut(samples(5), { fraction: 0.01, seed: some }).heldOut).to.have.length(2);
      expect(splitHeldOut(samples(3), { fraction: 0.01, seed: some }).heldOut).to.have.length(1);
      expect(splitHeldOut(samples(3), { fraction: 0.999, seed: some }).train).to.have.length(1);
    }
  });

  it("holds exactly the fraction of a few images out, rounded, and at least two", () => {
    for (let some = 0; some < 20; some++) {
      for (const [count, expected] of [
        [4, 2],
        [10, 2],
        [29, 3],
        [44, 4],
        [45, 5],
        [99, 10],
      ] as const) {
        const { heldOut } = splitHeldOut(samples(count), { fraction: 0.1, seed: some });
        expect(heldOut, `${count} images, seed ${some}`).to.have.length(expected);
      }
    }
  });

  it("keeps to the hashes alone where a record says sides, so that new images have those of version 0.1", () => {
    const options = { fraction: 0.1, seed };
    // By hashes alone 29 images gave five; the record is one of version 0.1.
    const byHash = divideByHash(samples(29), { purpose: "heldOut", ...options, least: 2, most: 28 });
    expect(byHash).to.have.length(5);
    const heldOut = ids(byHash);
    const record = {
      ...{ dataset: "parts", ...options, test: [], heldOut },
      train: ids(samples(29)).filter((id) => !heldOut.includes(id)),
    };
    expect(ids(splitHeldOut(samples(29), { ...options, record }).heldOut)).to.have.members(heldOut);
    const more = splitHeldOut(samples(60), { ...options, record });
    expect(ids(more.train)).to.include.members(record.train);
    const news = samples(60).slice(29);
    const newHeld = divideByHash(news, { purpose: "heldOut", ...options, least: 0, most: 60 });
    expect(ids(more.heldOut)).to.have.members([...heldOut, ...ids(newHeld)]);
  });

  it("without a record of a trained model holds out only what any version would have held out", () => {
    for (let some = 0; some < 40; some++) {
      const options = { fraction: 0.1, seed: some };
      const now = ids(splitHeldOut(samples(29), options).heldOut);
      const before = ids(divideByHash(samples(29), { purpose: "heldOut", ...options, least: 2, most: 28 }));
      const { heldOut } = splitHeldOut(samples(29), { ...options, unrecorded: true });
      expect(ids(heldOut)).to.have.members(now.filter((id) => before.includes(id)));
      expect(heldOut.length).to.be.at.least(2);
    }
  });

  it("holds the validation images of a data set out, and no others but recorded ones", () => {
    const validation = samples(53).slice(50);
    const all = samples(50);
    const options = { fraction: 0.1, seed, validation };
    const { train, heldOut } = splitHeldOut(all, options);
    expect(train).to.deep.equal(all);
    expect(heldOut).to.deep.equal(validation);
    const [held, trained] = [all[7]!.id, validation[0]!.id];
    const record = { dataset: "parts", fraction: 0.1, seed, test: [], heldOut: [held], train: [trained] };
    const again = splitHeldOut(all, { ...options, record });
    expect(ids(again.heldOut)).to.deep.equal([held, ...ids(validation.slice(1))]);
    expect(ids(again.train)).to.deep.equal([...ids(all).filter((id) => id !== held), trained]);
    expect(splitHeldOut(all, { ...options, fraction: 0 }).heldOut).to.have.length(0);
  });

  it("holds none out for 0, and refuses what cannot be divided", () => {
    expect(splitHeldOut(samples(3), { fraction: 0, seed }).heldOut).to.have.length(0);
    expect(() => splitHeldOut(samples(1), { fraction: 0.1, seed })).to.throw(
      DataError,
      "at least two of them, but there is one.",
    );
    expect(() => splitHeldOut(samples(3), { fraction: 1, seed })).to.throw(RangeError, "in [0, 1)");
  });
});

describe("the record of a split", () => {
  const dataset = (train: Sample[]): Dataset => ({
    name: "parts",
    format: datasetFormats[0],
    train,
    test: [],
    hasMasks: false,
    strayMasks: [],
  });

  it("keeps the sides of few images, too, where hashes alone would not", () => {
    const options = { fraction: 0.01, seed };
    const few = samples(6);
    const record = recordSplit(dataset(few), splitHeldOut(few, options), options);
    expect(record.heldOut).to.have.length(2);
    // Images with lower hashes would push those two out.
    const many = samples(60);
    const alone = splitHeldOut(many, options).heldOut;
    expect(ids(alone)).to.not.have.members(record.heldOut);
    const again = splitHeldOut(many, { ...options, record });
    expect(ids(again.heldOut)).to.include.members(record.heldOut);
    expect(ids(again.train)).to.include.members(record.train);
  });

  it("remembers what has gone, adds what is new, and tells both", () => {
    const options = { fraction: 0.3, seed };
    const before = recordSplit(dataset(samples(20)), splitHeldOut(samples(20), options), options);
    const now = samples(22).slice(3);
    const after = recordSplit(dataset(now), splitHeldOut(now, { ...options, record: before }), {
      ...options,
      record: before,
    });
    expect([...after.train, ...after.heldOut]).to.have.members(ids(samples(22)));
    expect(after.heldOut).to.include.members(before.heldOut);
    expect(splitChanges([...before.train, ...before.heldOut], now)).to.deep.equal({
      added: ["train/good/20.png", "train/good/21.png"],
      missing: ["train/good/0.png", "train/good/1.png", "train/good/2.png"],
    });
  });

  it("is written into the folder of a run and read back; a damaged one is refused", () => {
    const tree = new Tree();
    try {
      expect(readSplit(tree.root)).to.equal(undefined);
      const record = recordSplit(dataset(samples(9)), splitHeldOut(samples(9), { fraction: 0.3, seed }), {
        fraction: 0.3,
        seed,
      });
      writeSplit(tree.root, record);
      expect(readSplit(tree.root)).to.deep.equal(record);
      tree.write([splitFile, '{"train": 3}']);
      expect(() => readSplit(tree.root)).to.throw(DataError, "split.json is damaged");
    } finally {
      tree.remove();
    }
  });
});

describe("isTestImage", () => {
  it("takes about a fifth, independent of what is held out", () => {
    const all = samples(2000);
    const test = all.filter(({ id }) => isTestImage(id, seed));
    // 400 expected, deviation 18.
    expect(test.length).to.be.within(320, 480);
    const { heldOut } = splitHeldOut(all, { fraction: 0.2, seed });
    const both = heldOut.filter((sample) => test.includes(sample));
    // 80 expected, deviation 8.8.
    expect(both.length).to.be.within(40, 120);
  });
});
