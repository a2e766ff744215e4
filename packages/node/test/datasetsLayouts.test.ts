import { mkdirSync } from "node:fs";
import { expect } from "chai";
import { encode as encodeBmp } from "fast-bmp";
import sharp from "sharp";
import { isTestImage } from "../../ddad/src/data/split.ts";
import { createImage } from "../../ddad/src/images/image.ts";
import { maskImage } from "../../ddad/src/images/mask.ts";
import { findCategories } from "../src/datasets/dataset.ts";
import { loadMasks } from "../src/datasets/load.ts";
import { datasetTree, decodes, cornerMask as mask, refuses as refusesPromise } from "./datasetsTree.ts";

const tree = datasetTree();
const { open, rows, refusesToOpen: refuses } = tree;

let jpeg: Buffer;
let bmp: Uint8Array;
before(async () => {
  const data = Buffer.alloc(4 * 4 * 3, 100);
  jpeg = await sharp(data, { raw: { width: 4, height: 4, channels: 3 } })
    .jpeg()
    .toBuffer();
  bmp = encodeBmp({ width: 4, height: 4, bitsPerPixel: 24, components: 3, channels: 3, data });
});

describe("MVTec AD, in any format", () => {
  it("finds masks by folder and name, whatever their endings are", async () => {
    tree.write(["a/train/good/0.jpg", jpeg], ["a/train/good/1.bmp", bmp], "a/test/good/0.png");
    tree.write(["a/test/bent/0.JPG", jpeg], ["a/test/hole/0.bmp", bmp]);
    tree.write(["a/ground_truth/bent/0.png", mask], ["a/ground_truth/hole/0_mask.png", mask]);
    const dataset = open("a");
    expect(dataset).to.include({ name: "a", format: "mvtec", hasMasks: true });
    expect(rows(dataset.test)).to.deep.equal([
      ["test/bent/0.JPG", "bent", "a/ground_truth/bent/0.png"],
      ["test/good/0.png", "good"],
      ["test/hole/0.bmp", "hole", "a/ground_truth/hole/0_mask.png"],
    ]);
    await decodes(dataset);
  });

  it("names masks that belong to no image", () => {
    tree.write("a/train/good/0.png", "a/test/bent/0.png", ["a/ground_truth/bent/0.png", mask]);
    tree.write(["a/ground_truth/bent/1.png", mask], ["a/ground_truth/lost/0.png", mask]);
    expect(open("a").strayMasks).to.deep.equal([
      tree.path("a/ground_truth/bent/1.png"),
      tree.path("a/ground_truth/lost/0.png"),
    ]);
  });
});

describe("MVTec AD 2", () => {
  it("validates with validation/good, and tests with test_public", async () => {
    tree.write("can/train/good/000_regular.png", "can/validation/good/000_regular.png");
    tree.write("can/test_public/good/000_regular.png", "can/test_public/bad/001_overexposed.png");
    tree.write(["can/test_public/ground_truth/bad/001_overexposed_mask.png", mask]);
    tree.write("can/test_private/000_regular.png", "can/test_private_mixed/000_mixed.png");
    const dataset = open("can");
    expect(dataset).to.include({ format: "mvtec-ad-2", hasMasks: true });
    expect(rows(dataset.train)).to.deep.equal([["train/good/000_regular.png", "good"]]);
    expect(rows(dataset.validation ?? [])).to.deep.equal([["validation/good/000_regular.png", "good"]]);
    const truth = "can/test_public/ground_truth/bad/001_overexposed_mask.png";
    expect(rows(dataset.test)).to.deep.equal([
      ["test_public/bad/001_overexposed.png", "bad", truth],
      ["test_public/good/000_regular.png", "good"],
    ]);
    await decodes(dataset);
    expect(findCategories(tree.path())).to.deep.equal(["can"]);
    const given = open("can", { test: tree.path("can/test_public") });
    expect(rows(given.test)[0]).to.deep.equal(["test/bad/001_overexposed.png", "bad", truth]);
  });
});

describe("MVTec LOCO AD", () => {
  const other = maskImage(Uint8Array.of(200, 0, 0, 0), 2, 2);
  const files = (): void => {
    tree.write("box/train/good/000.png", "box/validation/good/000.png", "box/test/good/000.png");
    tree.write("box/test/logical_anomalies/000.png", "box/test/structural_anomalies/000.png");
    tree.write(["box/ground_truth/logical_anomalies/000/000.png", mask]);
    tree.write(["box/ground_truth/logical_anomalies/000/001.png", other]);
    tree.write(["box/ground_truth/structural_anomalies/000/000.png", mask]);
  };

  it("has a folder of masks an image, which are merged", async () => {
    files();
    const dataset = open("box");
    expect(dataset).to.include({ format: "mvtec-loco", hasMasks: true });
    expect(rows(dataset.validation ?? [])).to.deep.equal([["validation/good/000.png", "good"]]);
    expect(rows(dataset.test)).to.deep.equal([
      ["test/good/000.png", "good"],
      ["test/logical_anomalies/000.png", "logical_anomalies", "box/ground_truth/logical_anomalies/000"],
      [
        "test/structural_anomalies/000.png",
        "structural_anomalies",
        "box/ground_truth/structural_anomalies/000",
      ],
    ]);
    expect(dataset.strayMasks).to.deep.equal([]);
    expect((await loadMasks(dataset.test, 2)).map((values) => [...values])).to.deep.equal([
      [0, 0, 0, 0],
      [1, 0, 0, 1],
      [0, 0, 0, 1],
    ]);
    const asBefore = open("box", { format: "mvtec" });
    expect(asBefore.validation).to.equal(undefined);
    expect(asBefore.test).to.deep.equal(dataset.test);
  });

  it("is refused where the masks of an image differ in size", async () => {
    files();
    tree.write(["box/ground_truth/logical_anomalies/000/001.png", createImage(3, 2, 1)]);
    await refusesPromise(
      loadMasks(open("box").test, 2),
      "logical_anomalies/000 are of different sizes, 2 × 2 and 3 × 2; save them in that of their image.",
    );
  });
});

describe("BTAD", () => {
  it("calls ok good, and ko a kind of defect", async () => {
    tree.write(["b/01/train/ok/0.bmp", bmp], ["b/01/test/ok/1.bmp", bmp], ["b/01/test/ko/2.bmp", bmp]);
    tree.write(["b/01/ground_truth/ko/2.png", mask], ["b/03/train/ok/0.bmp", bmp]);
    const dataset = open("b", { category: "01" });
    expect(dataset).to.include({ name: "01", format: "btad" });
    expect(rows(dataset.train)).to.deep.equal([["train/ok/0.bmp", "good"]]);
    expect(rows(dataset.test)).to.deep.equal([
      ["test/ko/2.bmp", "ko", "b/01/ground_truth/ko/2.png"],
      ["test/ok/1.bmp", "good"],
    ]);
    await decodes(dataset);
    expect(findCategories(tree.path("b"))).to.deep.equal(["01", "03"]);
    refuses("b", "ROOT/b holds several data sets (01, 03); choose one with data.category.");
  });
});

describe("VisA", () => {
  const table = [
    "object,split,label,image,mask",
    "candle,train,normal,candle/Data/Images/Normal/0002.JPG,",
    "candle,train,normal,candle/Data/Images/Normal/0001.JPG,",
    "candle,test,normal,candle/Data/Images/Normal/0003.JPG,",
    ...["000", "001", "002"].map(
      (name) =>
        `candle,test,anomaly,candle/Data/Images/Anomaly/${name}.JPG,candle/Data/Masks/Anomaly/${name}.png`,
    ),
    "pcb1,train,normal,pcb1/Data/Images/Normal/0000.JPG,",
  ];
  const kinds = [
    "image,label,mask",
    "candle/Data/Images/Normal/0001.JPG,normal,",
    "candle/Data/Images/Anomaly/000.JPG,wax melded out of the candle,candle/Data/Masks/Anomaly/000.png",
    'candle/Data/Images/Anomaly/001.JPG,"damaged corner of packaging,other",candle/Data/Masks/Anomaly/001.png',
  ].join("\n");

  const images = (): void => {
    for (const name of [
      "Normal/0001",
      "Normal/0002",
      "Normal/0003",
      "Anomaly/000",
      "Anomaly/001",
      "Anomaly/002",
    ])
      tree.write([`VisA/candle/Data/Images/${name}.JPG`, jpeg]);
    for (const name of ["000", "001", "002"])
      tree.write([`VisA/candle/Data/Masks/Anomaly/${name}.png`, mask]);
  };

  it("is read as it unpacks, split by 1cls.csv, with the kinds of image_anno.csv", async () => {
    images();
    tree.write(
      ["VisA/split_csv/1cls.csv", `${table.join("\r\n")}\r\n`],
      ["VisA/candle/image_anno.csv", kinds],
    );
    tree.write(
      ["VisA/candle/Data/Masks/Anomaly/077.png", mask],
      ["VisA/pcb1/Data/Images/Normal/0000.JPG", jpeg],
    );
    const dataset = open("VisA", { category: "candle" });
    expect(dataset).to.include({ name: "candle", format: "visa" });
    expect(rows(dataset.train)).to.deep.equal([
      ["Data/Images/Normal/0001.JPG", "good"],
      ["Data/Images/Normal/0002.JPG", "good"],
    ]);
    expect(rows(dataset.test)).to.deep.equal([
      [
        "Data/Images/Anomaly/000.JPG",
        "wax melded out of the candle",
        "VisA/candle/Data/Masks/Anomaly/000.png",
      ],
      ["Data/Images/Anomaly/001.JPG", "combined", "VisA/candle/Data/Masks/Anomaly/001.png"],
      ["Data/Images/Anomaly/002.JPG", "anomaly", "VisA/candle/Data/Masks/Anomaly/002.png"],
      ["Data/Images/Normal/0003.JPG", "good"],
    ]);
    expect(dataset.strayMasks).to.deep.equal([tree.path("VisA/candle/Data/Masks/Anomaly/077.png")]);
    await decodes(dataset);
    expect(open("VisA/candle").test).to.have.length(4);
    refuses("VisA", "holds several data sets (candle, pcb1); choose one with data.category.");
    refuses("VisA/candle", "data.test cannot be set for ROOT/VisA/candle: the layout visa", {
      test: tree.path(),
    });
  });

  it("is read as its authors' script prepares it, which is the layout of MVTec AD", async () => {
    tree.write(["1cls/candle/train/good/0001.JPG", jpeg], ["1cls/candle/test/good/0003.JPG", jpeg]);
    tree.write(["1cls/candle/test/bad/000.JPG", jpeg], ["1cls/candle/ground_truth/bad/000.png", mask]);
    const dataset = open("1cls", { category: "candle" });
    expect(dataset.format).to.equal("mvtec");
    expect(rows(dataset.test)).to.deep.equal([
      ["test/bad/000.JPG", "bad", "1cls/candle/ground_truth/bad/000.png"],
      ["test/good/0003.JPG", "good"],
    ]);
    await decodes(dataset);
  });

  it("is refused without its split, with another, or with files that are missing", () => {
    images();
    const refusesTable = (lines: string[], sentence: string): void => {
      tree.write(["VisA/split_csv/1cls.csv", lines.join("\n")]);
      refuses("VisA/candle", sentence);
    };
    refuses("VisA/candle", "ROOT/VisA/split_csv/1cls.csv does not exist; it says which images of VisA");
    refusesTable(table.slice(0, 1), "1cls.csv has no rows.");
    refusesTable(
      ["object,split,label", "candle,train,normal"],
      "has nothing in column image; it needs object, split",
    );
    refusesTable(
      [...table, "candle,test,normal,candle/Data/Images/Normal/9.JPG,"],
      "lists 1 files that do not exist",
    );
    refusesTable(
      [...table, "candle,val,normal,candle/Data/Images/Normal/9.JPG,"],
      "line 9, is not one of VisA's",
    );
    refusesTable(
      [...table, "candle,train,anomaly,candle/Data/Images/Anomaly/000.JPG,"],
      "line 9, trains on a defective image; take VisA's own 1cls.csv.",
    );
    refusesTable([table[0]!, table[8 - 1]!], "has no training images of candle.");
    refusesTable([...table, "candle,train"], "1cls.csv is not valid CSV: Invalid Record Length");
  });
});

describe("MTD", () => {
  const good = Array.from({ length: 30 }, (_, i) => `MT_Free/Imgs/exp1_num_${i}.jpg`);

  it("is read raw: a fifth of the good images is tested with, by their hashes", async () => {
    for (const id of good) tree.write([`mtd/${id}`, jpeg], [`mtd/${id.replace("jpg", "png")}`, mask]);
    tree.write(["mtd/MT_Crack/Imgs/e_1.jpg", jpeg], ["mtd/MT_Crack/Imgs/e_1.png", mask], "mtd/README.md");
    tree.write(["mtd/MT_Fray/Imgs/e_2.jpg", jpeg], ["mtd/MT_Fray/Imgs/e_2.png", mask]);
    tree.write(["mtd/MT_Fray/Imgs/e_3.png", mask]);
    const dataset = open("mtd", { splitSeed: 5 });
    expect(dataset).to.include({ name: "mtd", format: "mtd", hasMasks: true });
    const tested = dataset.test.filter(({ label }) => label === 0).map(({ id }) => id);
    expect(tested).to.deep.equal(good.filter((id) => isTestImage(id, 5)).sort());
    expect(tested.length).to.be.within(1, 14);
    expect(dataset.train).to.have.length(30 - tested.length);
    expect(rows(dataset.test.filter(({ label }) => label === 1))).to.deep.equal([
      ["MT_Crack/Imgs/e_1.jpg", "crack", "mtd/MT_Crack/Imgs/e_1.png"],
      ["MT_Fray/Imgs/e_2.jpg", "fray", "mtd/MT_Fray/Imgs/e_2.png"],
    ]);
    expect(dataset.strayMasks).to.deep.equal([tree.path("mtd/MT_Fray/Imgs/e_3.png")]);
    await decodes(dataset);
    expect(open("mtd", { splitSeed: 6 }).train).to.not.deep.equal(dataset.train);
  });

  it("is refused without good images, or with a mask that is missing", () => {
    mkdirSync(tree.path("mtd/MT_Free/Imgs"), { recursive: true });
    refuses("mtd", "ROOT/mtd/MT_Free/Imgs holds no images; the good ones, .jpg files, belong there.");
    for (const id of good) tree.write([`mtd/${id}`, jpeg]);
    tree.write(["mtd/MT_Crack/Imgs/e_1.jpg", jpeg]);
    refuses("mtd", "has masks, but none for 1 of its defective images (MT_Crack/Imgs/e_1.jpg)");
  });
});
