/** The ResNets against PyTorch: names, features in both modes, running statistics, and real weights on real images. */
import { readFileSync } from "node:fs";
import { evaluate, type Tensor, tensor } from "@ddad/tensor";
import { expect } from "chai";
import { PNG } from "pngjs";
import { entry, type NpzArray, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { readCheckpoint } from "../src/checkpoint/readCheckpoint.ts";
import { foldBatchNorm } from "../src/models/resnet/fold.ts";
import { normaliseForImageNet } from "../src/models/resnet/imageNet.ts";
import type { FeatureName } from "../src/models/resnet/options.ts";
import type { ResNet } from "../src/models/resnet/resnet.ts";
import { resnet50, resnet50v2 } from "../src/models/resnet/variants.ts";
import { slotOf } from "../src/module.ts";
import { type StateDict, torchShape } from "../src/stateDict.ts";
import {
  channelsLast,
  differenceFromSummary,
  formulaWeights,
  largestDifference,
  readLayout,
} from "./golden.ts";

const layers = ["layer1", "layer2", "layer3"] as const;

/** Evaluates the features and compares them with the reference's `prefix` + 1, 2, 3 (or + the layer's name). */
async function expectFeatures(
  features: Record<(typeof layers)[number], Tensor>,
  arrays: Map<string, NpzArray>,
  key: (layer: (typeof layers)[number]) => string,
): Promise<void> {
  await evaluate(...Object.values(features));
  const differences: number[] = [];
  for (const layer of layers)
    differences.push(await differenceFromSummary(features[layer], arrays, key(layer)));
  console.log(`    largest differences ${differences.map((d) => d.toExponential(1)).join(", ")}`);
  expect(Math.max(...differences)).to.be.below(1e-4);
}

describe("ResNet-50 against PyTorch", function () {
  this.timeout(10 * 60_000); // on a software adapter that others use too
  let net: ResNet;
  let weights: StateDict;
  let arrays: Map<string, NpzArray>;
  before(function () {
    arrays = readNpz(sharedOrSkip(this, "golden", "resnet50.npz"));
    net = resnet50({ init: "zeros" });
    weights = formulaWeights(net, 5);
  });
  after(() => net?.dispose());

  const images = (count: number): Tensor => {
    const { data } = entry(arrays, "x", Float32Array);
    return tensor(channelsLast(data.subarray(0, count * 3 * 64 * 64), [count, 3, 64, 64]), [
      count,
      64,
      64,
      3,
    ]);
  };

  it("has torchvision's state dict: names, shapes, types, order", function () {
    const layout = readLayout(sharedOrSkip(this, "golden", "resnet50.layout.json"));
    const state = [...net.namedState()].map(([name, variable], k) => ({
      k,
      name,
      shape: torchShape(slotOf(variable).layout, variable.shape),
      dtype: variable.dtype === "f32" ? "float32" : "int64",
    }));
    expect(state).to.deep.equal(layout.entries);
    expect(net.parameters().reduce((count, { size }) => count + size, 0)).to.equal(layout.parameters);
  });

  it("gives its features in evaluation mode, built until layer3 from the whole state dict", async () => {
    using part = resnet50({ lastLayer: "layer3", init: "zeros" }).eval();
    const { leftOut, filled } = part.loadPretrained(weights);
    expect(leftOut).to.deep.equal([...weights.keys()].filter((name) => /^(layer4|fc)\./.test(name)));
    expect(filled).to.deep.equal([]);
    const x = images(1);
    await expectFeatures(part.features(x, layers), arrays, (layer) => `eval/feature${layer.at(-1)}`);
    using folded = await foldBatchNorm(part);
    await expectFeatures(folded.features(x, layers), arrays, (layer) => `eval/feature${layer.at(-1)}`);
  });

  it("gives its features and its running statistics in training mode", async () => {
    net.loadStateDict(weights);
    await evaluate(...net.namedState().values());
    const all: FeatureName[] = [...layers, "layer4"];
    const features = net.train().features(images(4), all);
    await evaluate(...Object.values(features), ...net.buffers());
    await expectFeatures(features, arrays, (layer) => `train/feature${layer.at(-1)}`);
    let worst = 0;
    let compared = 0;
    for (const [name, variable] of net.namedState()) {
      if (!/running_(mean|var)$/.test(name)) continue;
      const values = (await variable.data()) as Float32Array;
      const { data: head } = entry(arrays, `after/${name}|head`, Float32Array);
      const { data: stats } = entry(arrays, `after/${name}|stats`, Float64Array);
      const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
      worst = Math.max(
        worst,
        largestDifference(values.subarray(0, head.length), head),
        Math.abs(length / stats[2]! - 1),
      );
      compared++;
    }
    console.log(`    ${compared} running statistics, worst error ${worst.toExponential(1)}`);
    expect(compared).to.equal(106);
    expect(worst).to.be.below(1e-4);
    expect(await net.namedState().get("bn1.num_batches_tracked")!.item()).to.equal(1);
    expect(await net.namedState().get("layer4.2.bn3.num_batches_tracked")!.item()).to.equal(1);
    for (const feature of Object.values(features)) feature.dispose();
  });
});

describe("ResNet-50 v2 with weights trained on ImageNet", function () {
  this.timeout(10 * 60_000);

  for (const name of ["screw", "mtd"]) {
    it(`gives PyTorch's features of a photograph (${name})`, async function () {
      const arrays = readNpz(sharedOrSkip(this, "golden", "resnet50v2.npz"));
      const weights = await readCheckpoint(
        sharedOrSkip(this, "weights", "resnet50v2_imagenet_f16.safetensors"),
      );
      const file = new TextDecoder().decode(entry(arrays, `${name}/file`, Uint8Array).data);
      const x = normaliseForImageNet(readImage(sharedOrSkip(this, ...file.split("/"))));
      using net = resnet50v2({ lastLayer: "layer3", init: "zeros" }).eval();
      const { leftOut, filled } = net.loadPretrained(weights);
      expect(leftOut).to.deep.equal([]);
      expect(filled).to.deep.equal([...net.namedState().keys()].filter((key) => key.endsWith("tracked")));
      await expectFeatures(net.features(x, layers), arrays, (layer) => `${name}/${layer}`);
      using folded = await foldBatchNorm(net);
      await expectFeatures(folded.features(x, layers), arrays, (layer) => `${name}/${layer}`);
    });
  }
});

/** A PNG as [1, H, W, 3] in [-1, 1]; grey is repeated. */
function readImage(path: string): Tensor {
  const { width, height, data } = PNG.sync.read(readFileSync(path)); // RGBA
  const colours = data.filter((_, index) => index % 4 !== 3);
  return tensor(
    Float32Array.from(colours, (value) => value / 127.5 - 1),
    [1, height, width, 3],
  );
}
