/** `ddad export`: models become files for PyTorch. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCheckpoint, resNetSizes, writeSafetensors } from "@ddad/nn";
import { resNetLayout, unetLayout } from "@ddad/nn/internal";
import { expect } from "chai";
import { decodeModel, encodeModel, encodeTrainingState } from "../../ddad/src/model/modelFile.ts";
import { done, fails, fill, options, saved, settings } from "../../ddad/test/checkpoints.ts";
import * as pickle from "../../nn/test/pickleFile.ts";
import type { OnnxReport } from "../../node/src/model/exportOnnx.ts";

describe("ddad export", () => {
  let folder: string;
  const path = (...parts: string[]): string => join(folder, ...parts);
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "ddad-export-"));
  });
  after(() => rmSync(folder, { recursive: true }));

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
    const ema = fill(unetLayout(options));
    for (const { data } of ema.values()) data.fill(0.5 as never);
    mkdirSync(path("run"), { recursive: true });
    const state = encodeTrainingState({ config, step: 7, weights: dict, ema, optimizer: new Map() });
    writeFileSync(path("run", "checkpoint.safetensors"), state);
    await done("export", "--checkpoint", path("run"), "--out", path("average.safetensors"));
    expect([...(await readCheckpoint(path("average.safetensors")))]).to.deep.equal([...ema]);
  });

  it("writes an extractor beside the UNet, where the model has one", async () => {
    const extractor = fill(resNetLayout(resNetSizes.resnet18));
    const { root, storages } = saved(extractor);
    writeFileSync(path("feat8"), pickle.zipFile(root, storages));
    await imported();
    const model = path("both.safetensors");
    await done("import", path("in.pth"), "--out", model, ...settings, "--extractor", path("feat8"));
    const { config, extractor: stored } = decodeModel(await readCheckpoint(model));
    expect(config.features.network).to.equal("resnet18");
    expect(stored?.size).to.equal(122);
    await done("export", "--checkpoint", model, "--out", path("pair.safetensors"));
    expect([...(await readCheckpoint(path("pair.safetensors")))]).to.deep.equal([...dict]);
    const beside = await readCheckpoint(path("pair-extractor.safetensors"));
    expect([...beside.keys()]).to.deep.equal([...extractor.keys()]);
    const both = ["import", path("in.pth"), "--out", path("no.safetensors"), ...settings];
    for (const [setting, refused] of [
      ["features.network=resnet50", /features\.network is resnet50, but --extractor gives resnet18/],
      ["features.weights=feat9", /features\.weights is feat9, but --extractor gives resnet18 and its/],
    ] as const) {
      await fails(2, refused, ...both, "--extractor", path("feat8"), "--set", setting);
    }
    await done(...both, "--extractor", path("feat8"), "--set", "features.network=resnet18");
    await fails(2, /feat8 holds no unet/, "import", path("feat8"), "--out", model, "--kind", "unet");
    await fails(
      2,
      /An extractor is stored with a UNet, but/,
      ...["import", path("feat8"), "--out", model],
      "--extractor",
      path("feat8"),
    );
  });

  it("writes ONNX that gives what the networks give here", async () => {
    const { config } = decodeModel(await readCheckpoint(await imported()));
    config.features.network = "resnet18";
    const extractor = fill(resNetLayout(resNetSizes.resnet18));
    for (const [name, { data }] of extractor) {
      if (name.endsWith("running_var")) data.fill(0.7 as never);
      if (name.endsWith("num_batches_tracked")) extractor.delete(name);
    }
    const model = path("onnx.safetensors");
    writeFileSync(model, encodeModel({ config, step: 1, weights: dict, extractor }));
    const out = path("networks", "model.onnx");
    const result = await done<OnnxReport>("export", "--onnx", "--checkpoint", model, "--out", out);
    expect(result.runtime).to.equal("onnxruntime-web");
    const outputs = result.files.map(({ network, path, parity }) => [
      network,
      path,
      parity!.map(({ output, shape }) => `${output} ${shape.join("×")}`),
    ]);
    expect(outputs).to.deep.equal([
      ["unet", out, ["noise 1×3×32×32"]],
      [
        "extractor",
        out.replace(".onnx", "-extractor.onnx"),
        ["layer1 1×64×8×8", "layer2 1×128×4×4", "layer3 1×256×2×2"],
      ],
    ]);
    for (const { path, bytes, parity } of result.files) {
      expect(statSync(path).size).to.equal(bytes);
      for (const { relative } of parity!) expect(relative).to.be.below(1e-5);
    }
    const args = ["export", "--onnx", "--checkpoint", model, "--out"];
    await fails(2, /must end in \.onnx, which is what is written/, ...args, path("never.safetensors"));
    await fails(2, /--module-prefix is for PyTorch/, ...args, out, "--module-prefix");
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
    const onnx = ["export", "--checkpoint", await imported(), "--out", path("x.onnx")];
    await fails(2, /x\.onnx ends in \.onnx: add --onnx to write ONNX/, ...onnx);
  });
});
