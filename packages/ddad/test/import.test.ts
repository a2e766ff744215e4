/** PyTorch's checkpoints through the command line: in, and out again. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  readCheckpoint,
  resNetLayout,
  resNetSizes,
  type StateDict,
  type StateLayout,
  tensor,
  UNet,
  unetLayout,
  withPrefix,
  writeSafetensors,
} from "@ddad/nn";
import { expect } from "chai";
import { channelsFirst, channelsLast, formula, largestDifference } from "../../nn/test/golden.ts";
import * as pickle from "../../nn/test/pickleFile.ts";
import { entry, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { loadDenoiser } from "../src/cli/model.ts";
import { decodeModel, encodeTrainingState } from "../src/modelFile.ts";
import { ddad } from "./commandLine.ts";

let folder: string;
const path = (...parts: string[]): string => join(folder, ...parts);
before(() => {
  folder = mkdtempSync(join(tmpdir(), "ddad-import-"));
});
after(() => rmSync(folder, { recursive: true }));

/** A state dict of these shapes, every value another. */
const fill = (layout: StateLayout): StateDict =>
  new Map(
    [...layout].map(([name, shape], k) => {
      const data = formula(
        k,
        shape.reduce((count, extent) => count * extent, 1),
        (u) => u / 10,
      );
      return [name, { shape, dtype: "f32", data }];
    }),
  );

/** The state dict inside a pickle, its elements in storages. */
function saved(dict: StateDict): { root: pickle.Part; storages: Record<string, Uint8Array> } {
  const storages: Record<string, Uint8Array> = {};
  const items = [...dict].map(([name, { shape, data }], k) => {
    storages[k] = new Uint8Array(data.buffer as ArrayBuffer);
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    const storage = pickle.storage(String(k), data.length);
    return [name, pickle.tensor({ storage, shape, strides })] as const;
  });
  return { root: pickle.dict(...items), storages };
}

const options = {
  imageSize: 16,
  baseChannels: 32,
  channelMultipliers: [1],
  blocksPerLevel: 1,
  attentionSizes: [32],
};
const settings = ["--set", "data.imageSize=32", "--set", "model.heads=1"];

/** Runs a command that must work, and reads what it printed. */
async function done<T>(...args: string[]): Promise<T> {
  const { code, output, errors } = await ddad(...args, "--json");
  expect(code, errors).to.equal(0);
  return JSON.parse(output) as T;
}

async function fails(code: number, sentence: RegExp, ...args: string[]): Promise<void> {
  const outcome = await ddad(...args);
  expect(outcome.code, outcome.errors).to.equal(code);
  expect(outcome.output).to.equal("");
  const sentences = outcome.errors.split("\n").filter((line) => line.startsWith("error: "));
  expect(sentences, outcome.errors).to.have.length(1);
  expect(sentences[0]).to.match(sentence);
}

describe("ddad import", () => {
  it("makes a model of DDAD's own checkpoint, which computes what PyTorch computed", async function () {
    const file = sharedOrSkip(this, "golden", "unet_micro.pth");
    const arrays = readNpz(sharedOrSkip(this, "golden", "unet_micro.npz"));
    const out = path("micro.safetensors");
    const report = await done<object>("import", file, "--out", out, "--set", "data.imageSize=32");
    expect(report).to.deep.equal({
      file,
      format: "zip",
      entry: "",
      leftOut: [],
      prefix: "",
      kind: "unet",
      found: 162,
      matched: 162,
      parameters: 774_307,
      skipped: [],
      missing: [],
      assumed: ["protocol=paper", "model.heads=2", "model.dropout=0.3"],
      out,
    });
    using denoiser = loadDenoiser(decodeModel(await readCheckpoint(out)));
    const image = tensor(channelsLast(formula(900003, 3 * 32 * 32), [1, 3, 32, 32]), [1, 32, 32, 3]);
    const predicted = denoiser.forward(image, tensor([500]));
    const values = channelsFirst(await predicted.data(), predicted.shape);
    expect(largestDifference(values, entry(arrays, "out", Float32Array).data)).to.be.below(1e-4);
  });

  it("finds the network in what a training script saved, and says what it left", async () => {
    const { root, storages } = saved(
      new Map([...withPrefix(fill(unetLayout(options)), "model."), ...fill(new Map([["loss.scale", [2]]]))]),
    );
    const wrapped = pickle.dict(
      ["epoch", pickle.integer(3)],
      ["state_dict", root],
      ["optimizer", pickle.dict(["momentum", pickle.tensor({ storage: pickle.storage("buffer", 2) })])],
    );
    writeFileSync(path("script.ckpt"), pickle.zipFile(wrapped, { ...storages, buffer: pickle.floats(1, 2) }));
    const out = path("script.safetensors");
    const { code, output, errors } = await ddad("import", path("script.ckpt"), "--out", out, ...settings);
    expect(code, errors).to.equal(0);
    expect(output).to.equal(`wrote ${out}: unet, 70 tensors\n`);
    expect(errors.split("\n")).to.deep.equal([
      "found         71  zip, entry state_dict, prefix model.",
      "matched       70  unet, 163331 values",
      "skipped        1  loss.scale",
      "missing        0",
      "left out       0  epoch",
      "left out       1  optimizer",
      "assumed           protocol=paper, model.dropout=0.3",
      "",
    ]);
    const { config } = decodeModel(await readCheckpoint(out));
    expect(config.data.imageSize).to.equal(32);
    expect(config.model).to.include({ baseChannels: 32, heads: 1, blocksPerLevel: 1 });
    using net = new UNet({ ...options, heads: 1 });
    expect(net.loadStateDict(await readCheckpoint(out))).to.deep.equal({ missing: [], unexpected: [] });
  });

  it("reads the older container, and settings from a file", async () => {
    const { root, storages } = saved(fill(unetLayout(options)));
    writeFileSync(path("old.pth"), pickle.legacyFile(root, storages));
    writeFileSync(
      path("import.yaml"),
      "protocol: strict\ndata: {imageSize: 32}\nmodel: {heads: 1, dropout: 0}\n",
    );
    const out = path("old.safetensors");
    const report = await done<{ format: string; assumed: string[] }>(
      ...["import", path("old.pth"), "--out", out, "--config", path("import.yaml")],
    );
    expect(report.format).to.equal("legacy");
    expect(report.assumed).to.deep.equal([]);
    expect(decodeModel(await readCheckpoint(out)).config.protocol).to.equal("strict");
  });

  it("makes an extractor of a ResNet, without what no feature needs", async () => {
    const sizes = { layers: [1, 1, 1, 1], baseChannels: 8, numClasses: 4 };
    const dict = fill(resNetLayout(sizes));
    for (const name of [...dict.keys()]) {
      if (name.startsWith("layer4.0.conv3") || name.startsWith("fc.") || name.endsWith("tracked"))
        dict.delete(name);
    }
    writeFileSync(path("resnet.pth"), pickle.zipFile(saved(dict).root, saved(dict).storages));
    const out = path("resnet.safetensors");
    const report = await done<{ kind: string; missing: string[] }>(
      "import",
      path("resnet.pth"),
      "--out",
      out,
    );
    expect(report.kind).to.equal("resnet");
    expect(report.missing).to.include.members(["layer4.0.conv3.weight", "bn1.num_batches_tracked"]);
    expect((await readCheckpoint(out)).metadata).to.include({ kind: "extractor", architecture: "resnet" });
    dict.delete("layer2.0.bn1.bias");
    writeFileSync(path("torn.pth"), pickle.zipFile(saved(dict).root, saved(dict).storages));
    await fails(
      2,
      /torn\.pth does not fit resnet: it lacks layer2\.0\.bn1\.bias\./,
      "import",
      path("torn.pth"),
      "--out",
      path("no.safetensors"),
    );
    expect(existsSync(path("no.safetensors"))).to.equal(false);
  });

  it("knows torchvision's networks by their shapes", async () => {
    const { root, storages } = saved(fill(resNetLayout({ ...resNetSizes.resnet18, baseChannels: 8 })));
    writeFileSync(path("r18.pth"), pickle.zipFile(root, storages));
    const out = path("r18.safetensors");
    expect(await done<object>("import", path("r18.pth"), "--out", out)).to.include({
      kind: "resnet18",
      matched: 122,
    });
    await fails(
      2,
      /holds resnet18, not resnet34\./,
      "import",
      path("r18.pth"),
      "--out",
      out,
      "--kind",
      "resnet34",
    );
  });

  it("takes real half-precision weights of a network without its end", async function () {
    const file = sharedOrSkip(this, "weights", "resnet50v2_imagenet_f16.safetensors");
    const out = path("resnet50v2.safetensors");
    const report = await done<object>("import", file, "--out", out, "--kind", "resnet50v2");
    expect(report).to.include({ kind: "resnet50v2", format: "safetensors", found: 211, matched: 211 });
  });

  it("says in one sentence what is wrong", async () => {
    const out = ["--out", path("no.safetensors")];
    const { root, storages } = saved(fill(unetLayout(options)));
    writeFileSync(path("unet.pth"), pickle.zipFile(root, storages));
    writeFileSync(path("other.pth"), pickle.zipFile(pickle.dict(["a", pickle.tensor()])));
    writeFileSync(
      path("evil.pth"),
      pickle.zipFile(pickle.call(pickle.named("os", "system"), pickle.text("true"))),
    );
    await fails(2, /do not tell the size of their pictures/, "import", path("unet.pth"), ...out);
    await fails(
      2,
      /neither the UNet of DDAD nor a ResNet: its names are a, …/,
      "import",
      path("other.pth"),
      ...out,
    );
    await fails(2, /evil\.pth: PyTorch: it holds os\.system, /, "import", path("evil.pth"), ...out);
    await fails(2, /nowhere\.pth cannot be read/, "import", path("nowhere.pth"), ...out);
    await fails(2, /--kind vit is not known/, "import", path("unet.pth"), ...out, "--kind", "vit");
    await fails(2, /holds no resnet18/, "import", path("unet.pth"), ...out, "--kind", "resnet18");
    await fails(2, /must end in \.safetensors/, "import", path("unet.pth"), "--out", path("a.pth"));
    await fails(
      2,
      /does not fit unet: it lacks /,
      ...["import", path("unet.pth"), ...out, ...settings, "--set", "model.channelMultipliers=[1,1]"],
    );
    await fails(2, /no entry "ema": the top holds /, "import", path("unet.pth"), ...out, "--entry", "ema");
    expect(existsSync(path("no.safetensors"))).to.equal(false);
  });
});

describe("ddad export", () => {
  const dict = fill(unetLayout(options));
  const imported = async (): Promise<string> => {
    const { root, storages } = saved(dict);
    writeFileSync(path("in.pth"), pickle.zipFile(root, storages));
    await done("import", path("in.pth"), "--out", path("in.safetensors"), ...settings);
    return path("in.safetensors");
  };

  it("gives back every tensor of PyTorch's file, by name and bit", async () => {
    const model = await imported();
    const out = path("out", "unet.safetensors");
    const result = await done<object>("export", "--checkpoint", model, "--out", out);
    expect(result).to.deep.equal({ checkpoint: model, files: [{ network: "unet", path: out, tensors: 70 }] });
    const read = await readCheckpoint(out);
    expect([...read]).to.deep.equal([...dict]);
    expect(read.metadata["format"]).to.equal("pt");
    expect(JSON.parse(read.metadata["model"]!)).to.include({ imageSize: 32, baseChannels: 32, heads: 1 });
    await done("export", "--checkpoint", model, "--out", out, "--module-prefix");
    const header = readFileSync(out, "latin1");
    expect(header).to.contain('"module.time_embedding.1.weight":{');
  });

  it("takes the averaged weights of a run that was stopped", async () => {
    const { config } = decodeModel(await readCheckpoint(await imported()));
    const average = fill(unetLayout(options));
    for (const { data } of average.values()) data.fill(0.5 as never);
    mkdirSync(path("run"), { recursive: true });
    const state = encodeTrainingState({ config, step: 7, weights: dict, average, optimizer: new Map() });
    writeFileSync(path("run", "checkpoint.safetensors"), state);
    await done("export", "--checkpoint", path("run"), "--out", path("average.safetensors"));
    expect([...(await readCheckpoint(path("average.safetensors")))]).to.deep.equal([...average]);
  });

  it("refuses what is no model of this program", async () => {
    writeFileSync(path("foreign.safetensors"), writeSafetensors(dict));
    const args = ["--checkpoint", path("foreign.safetensors"), "--out", path("never.safetensors")];
    await fails(2, /was not written by ddad train/, "export", ...args);
    await fails(
      2,
      /must end in \.safetensors/,
      "export",
      "--checkpoint",
      await imported(),
      "--out",
      path("x.pth"),
    );
  });
});
