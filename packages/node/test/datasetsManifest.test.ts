import { expect } from "chai";
import { isTestImage } from "../../ddad/src/data/split.ts";
import { datasetTree, decodes, cornerMask as mask } from "./datasetsTree.ts";

const tree = datasetTree();
const { open, rows, refusesToOpen: refuses } = tree;

describe("manifests", () => {
  const files = (): void =>
    tree.write("m/p/a.png", "m/p/b.png", "m/p/c.png", "other/d.png", ["m/masks/c.png", mask]);

  it("list images in CSV, relative to themselves", async () => {
    files();
    const lines = [
      "\ufeffImage;Label;Split;Mask;Kind;Camera",
      "p/a.png;good;train;;;7",
      "p/b.png;OK;test;masks/c.png;;7",
      "./p/c.png;ng;test;masks/c.png;scratch;8",
      "",
      "../other/d.png;0;Train;;;8",
    ];
    tree.write(["m/manifest.csv", lines.join("\r\n")], ["m/parts.csv", lines.join("\n")]);
    const dataset = open("m");
    expect(dataset).to.include({ name: "m", format: "manifest", hasMasks: true });
    expect(rows(dataset.train)).to.deep.equal([
      ["p/a.png", "good"],
      ["_/other/d.png", "good"],
    ]);
    expect(rows(dataset.test)).to.deep.equal([
      ["p/b.png", "good"],
      ["p/c.png", "scratch", "m/masks/c.png"],
    ]);
    await decodes(dataset);
    const other = open("m/parts.csv");
    expect(other.name).to.equal("parts");
    expect(other.test).to.deep.equal(dataset.test);
  });

  it("have each column that is read once", () => {
    files();
    const twice = (name: string, text: string, message: string): void => {
      tree.write([name, text]);
      refuses(name, message);
    };
    twice(
      "m/a.csv",
      "image,label,split, Label\np/a.png,good,train,bad\n",
      "a.csv has the column label more than once",
    );
    twice(
      "m/b.jsonl",
      '{"image": "p/a.png", "label": "good", "Image": "p/b.png"}\n',
      "line 1, has the column image more",
    );
    twice(
      "m/c.jsonl",
      '{"image": "p/a.png", "label": "good", "label": "bad"}\n',
      "line 1, has the column label more",
    );
    // Others are left alone, those without a name too.
    tree.write(["m/d.csv", "image,label,split,note,note,,\np/a.png,good,train,1,2,,\n"]);
    tree.write([
      "m/e.jsonl",
      '{"image": "p/a.png", "label": "good", "split": "train", "more": {"label": "\\"label\\": {"}, "x": 1, "x": 2}\n',
    ]);
    for (const name of ["m/d.csv", "m/e.jsonl"]) expect(open(name).train.length).to.equal(1);
  });

  it("list images in JSON lines; without a split good ones are divided by their hashes", () => {
    files();
    const ids = Array.from({ length: 40 }, (_, i) => `p/${i}.png`);
    tree.write(...ids.map((id) => `m/${id}`));
    const lines = [
      ...ids.map((image) => ({ image, label: 0 })),
      { image: "p/c.png", label: true, mask: null, kind: "dent" },
    ].map((row) => JSON.stringify(row));
    tree.write(["m/manifest.jsonl", `${lines.join("\n")}\n\n`]);
    const dataset = open("m", { splitSeed: 3 });
    expect(dataset.hasMasks).to.equal(false);
    expect(rows(dataset.test)).to.deep.equal([
      ...ids.filter((id) => isTestImage(id, 3)).map((id) => [id, "good"]),
      ["p/c.png", "dent"],
    ]);
    expect(dataset.train.length + dataset.test.length).to.equal(41);
  });

  it("are read in UTF-16 and with backslashes, as Excel on Windows saves them", () => {
    files();
    const text = ["image\tlabel\tsplit\tmask\tkind", "p\\a.png\tgood\ttrain", "p\\b.png\tOK\tVal"];
    const lines = [...text, "p\\c.png\tNOK\ttest\tmasks\\c.png\tRiß"].map((line) =>
      [...line.split("\t"), "", "", ""].slice(0, 5).join("\t"),
    );
    const little = Buffer.from(`\ufeff${lines.join("\r\n")}\r\n`, "utf16le");
    const big = Buffer.from(little).swap16();
    const utf8 = Buffer.from(`\ufeff${lines.join("\r\n")}`);
    const json = Buffer.from('\ufeff{"image": "p\\\\a.png", "label": "good"}\n', "utf16le");
    for (const [name, bytes] of [
      ["little.csv", little],
      ["big.csv", big],
      ["utf8.csv", utf8],
    ] as const) {
      tree.write([`m/${name}`, bytes]);
      const { train, validation, test } = open(`m/${name}`);
      expect(rows(train), name).to.deep.equal([["p/a.png", "good"]]);
      expect(rows(validation ?? []), name).to.deep.equal([["p/b.png", "good"]]);
      expect(rows(test), name).to.deep.equal([["p/c.png", "Riß", "m/masks/c.png"]]);
    }
    tree.write(["m/rows.jsonl", json], ["m/bare.csv", little.subarray(2)]);
    expect(open("m/rows.jsonl", { splitSeed: 3 }).train.map(({ id }) => id)).to.deep.equal(["p/a.png"]);
    refuses(
      "m/bare.csv",
      "bare.csv is no text in UTF-8, or one in UTF-16 without its mark; save it as UTF-8.",
    );
  });

  it("leave defective validation images out, and say so", () => {
    files();
    const lines = ["image,label,split", "p/a.png,good,train", "p/b.png,bad,validation"];
    tree.write(["m/manifest.csv", lines.join("\n")]);
    const { validation, test, notices } = open("m");
    expect([validation, test]).to.deep.equal([undefined, []]);
    expect(notices).to.deep.equal([
      `1 defective images of ${tree.path("m/manifest.csv")} have the split validation (p/b.png): left out, as only good ones are held out`,
    ]);
  });

  it("are refused with the line that is wrong", () => {
    files();
    const refusesRows = (sentence: string, ...lines: string[]): void => {
      tree.write(["m/manifest.csv", ["image,label,split,mask", ...lines].join("\n")]);
      refuses("m", sentence);
    };
    refusesRows(
      'line 2: the label must be good (ok, normal, 0) or defective (bad, ko, nok, ng, anomaly, 1), but is "fine".',
      "p/a.png,fine,train,",
    );
    refusesRows('but is "constructor"', "p/a.png,constructor,train,");
    refusesRows("line 3, names no image.", "p/a.png,good,train,", ",good,train,");
    refusesRows(
      'line 2: the split must be train, validation (val) or test, but is "dev".',
      "p/a.png,good,dev,",
    );
    refusesRows("line 2, trains on a defective image; only good ones are trained on.", "p/a.png,bad,train,");
    refusesRows("lists images more than once: p/a.png.", "p/a.png,good,train,", "./p/a.png,good,test,");
    refusesRows("lists no good images to train on.", "p/a.png,bad,test,");
    refusesRows(
      "lists 2 files that do not exist: ROOT/m/p/x.png, ROOT/m/y.png.",
      "p/a.png,good,train,",
      "p/x.png,bad,test,y.png",
    );
    refusesRows(
      "has masks, but none for 1 of its defective images (p/b.png)",
      ...["p/a.png,good,train,", "p/b.png,bad,test,", "p/c.png,bad,test,masks/c.png"],
    );
    tree.write(["m/manifest.jsonl", '{"image": "p/a.png", "label": "good"}\n{"image": ']);
    refuses("m", "ROOT/m has two manifests; give the path of one as the data set.");
    refuses("m/manifest.jsonl", "manifest.jsonl, line 2, is not valid JSON; every line must be one object.");
    tree.write(["m/manifest.jsonl", "[1]"]);
    refuses("m/manifest.jsonl", "line 1, must be an object such as");
  });
});

describe("which layout a folder has", () => {
  it("is refused where it could be more than one, until data.format chooses", () => {
    tree.write("a/train/good/0.png", "a/train/ok/0.png", "a/preview.png", [
      "a/manifest.csv",
      "image,label\npreview.png,good",
    ]);
    refuses(
      "a",
      "ROOT/a can be read as mvtec (train/good, test/good, test/<kind of defect>, ground_truth/<kind>) or as btad (",
    );
    refuses("a", "); choose one with data.format.");
    expect(rows(open("a", { format: "btad" }).train)).to.deep.equal([["train/ok/0.png", "good"]]);
    expect(rows(open("a", { format: "mvtec" }).train)).to.deep.equal([["train/good/0.png", "good"]]);
  });

  it("does not hang on a preview that lies beside it", () => {
    tree.write("a/train/good/0.png", "a/preview.png");
    expect(open("a").format).to.equal("mvtec");
  });

  it("is refused where it is not the one that was asked for", () => {
    tree.write("a/train/good/0.png", ["m.csv", "image,label\na/train/good/0.png,good"]);
    refuses("a", "data.format is visa, but ROOT/a does not look like it (Data/Images/Normal, ", {
      format: "visa",
    });
    refuses("a", "it holds train/ (train/ holds good).", { format: "visa" });
    refuses("m.csv", "data.format is visa, but ROOT/m.csv is a file, which is a manifest.", {
      format: "visa",
    });
    refuses("m.csv", "ROOT/m.csv is a file; a folder is needed here.", { category: "x" });
  });
});
