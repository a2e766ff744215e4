/** `ddad import`: PyTorch's checkpoints become models. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readCheckpoint, resNetSizes, tensor, UNet } from "@ddad/nn";
import { resNetLayout, unetLayout, withPrefix } from "@ddad/nn/internal";
import { expect } from "chai";
import { decodeModel } from "../../ddad/src/model/modelFile.ts";
import type { EvaluationResult } from "../../ddad/src/report/results.ts";
import { done, fails, fill, options, saved, settings } from "../../ddad/test/checkpoints.ts";
import { channelsFirst, channelsLast, formula, largestDifference } from "../../nn/test/golden.ts";
import * as pickle from "../../nn/test/pickleFile.ts";
import { writeProcedural } from "../../node/src/datasets/writeProcedural.ts";
import { loadDenoiser } from "../../node/src/model/open.ts";
import { entry, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { ddad } from "./commandLine.ts";

describe("ddad import", () => {
  let folder: string;
  const path = (...parts: string[]): string => join(folder, ...parts);
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "ddad-import-"));
  });
  after(() => rmSync(folder, { recursive: true }));

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
      opaque: [],
      prefix: "",
      kind: "unet",
      found: 162,
      matched: 162,
      parameters: 774_307,
      skipped: [],
      missing: [],
      protocol: "strict",
      assumed: ["protocol=strict", "model.heads=2", "model.dropout=0.3"],
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
      ["args\u001b[2J", pickle.call(pickle.named("argparse", "Namespace"))],
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
      "left out       0  args\\u{1b}[2J",
      "left out       1  optimizer",
      "opaque         1  args\\u{1b}[2J (argparse.Namespace)",
      "protocol          strict; --set protocol=paper samples and scores as the published code does",
      "assumed           protocol=strict, model.dropout=0.3",
      "",
    ]);
    const { config } = decodeModel(await readCheckpoint(out));
    expect(config).to.include({ protocol: "strict" });
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

  it("takes the paper's protocol from the published config.yaml", async () => {
    const { root, storages } = saved(fill(unetLayout(options)));
    writeFileSync(path("published.pth"), pickle.zipFile(root, storages));
    const out = path("published.safetensors");
    const published = fileURLToPath(new URL("../../node/test/fixtures/ddadConfig2.yaml", import.meta.url));
    const { code, errors } = await ddad(
      ...["import", path("published.pth"), "--out", out, "--config", published],
    );
    expect(code, errors).to.equal(0);
    expect(errors).to.match(/^protocol +paper, as the published code; --set protocol=strict takes /m);
    expect(decodeModel(await readCheckpoint(out)).config).to.include({ protocol: "paper" });
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

  it("says of an imported network's training only what is known", async () => {
    const root = writeProcedural(folder, {
      ...{ category: "tile", size: 32, train: 6, testGood: 2, testPerDefect: 1 },
    });
    const { root: pickled, storages } = saved(fill(unetLayout(options)));
    writeFileSync(path("known.pth"), pickle.zipFile(pickled, storages));
    const evaluate = async (protocol: string, ...more: string[]) => {
      const model = path("known", `${protocol}.safetensors`);
      const strictly = ["--set", `protocol=${protocol}`, "--set", "features.network=none"];
      await done("import", path("known.pth"), "--out", model, ...settings, ...strictly);
      const args = ["--set", "sampling.start=100", "--set", "sampling.stride=50", ...more];
      const { code, output, errors } = await ddad(
        ...["evaluate", "--checkpoint", model, "--data", root, ...args, "--json"],
      );
      expect(code, errors).to.equal(0);
      return { errors, block: (JSON.parse(output) as EvaluationResult).protocolBlock };
    };
    const { errors, block } = await evaluate("strict", "--set", "data.heldOut=0.5");
    expect(errors).to.match(
      /The network was imported: if it was trained on these images, the false-alarm rate/,
    );
    expect(block.checkpoint).to.equal("imported, chosen elsewhere");
    expect(block.data).to.not.have.any.keys("heldOut", "split");
    expect(block.seeds).to.not.have.property("training");
    expect(block.normaliser).to.equal("constants calibrated on good images, perhaps trained with");
    expect(block.threshold).to.include({ source: "good images, perhaps trained with" });
    const paper = await evaluate("paper", "--set", "detection.crop=32", "--set", "detection.blurSigma=1");
    expect(paper.block).to.include({ checkpoint: "imported, chosen elsewhere", normaliser: "none" });
    expect(paper.block.threshold).to.deep.equal({ source: "test set, largest tpr - fpr" });
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
    await fails(2, /do not tell the size of their images/, "import", path("unet.pth"), ...out);
    await fails(
      2,
      /neither the UNet of DDAD nor a ResNet: its names are a, …/,
      "import",
      path("other.pth"),
      ...out,
    );
    await fails(
      2,
      /evil\.pth: PyTorch: it holds no tensor\..* it is os\.system\. /,
      "import",
      path("evil.pth"),
      ...out,
    );
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
