/** Networks built in part, and folded ones. */
import { currentDevice, evaluate, explain, type Tensor } from "@ddad/tensor";
import { expect } from "chai";
import { StateDictError } from "../src/errors.ts";
import { foldBatchNorm } from "../src/models/resnet/fold.ts";
import type { FeatureName } from "../src/models/resnet/options.ts";
import { ResNet } from "../src/models/resnet/resnet.ts";
import { formulaWeights, largestDifference } from "./golden.ts";
import { build, input } from "./resnetReference.ts";

const close = async (got: Tensor, expected: ArrayLike<number>, tolerance = 1e-5): Promise<void> => {
  expect(largestDifference(await got.data(), expected)).to.be.below(tolerance);
};

describe("ResNet", () => {
  describe("built in part", () => {
    const options = { layers: [1, 1, 2, 1], baseChannels: 4 } as const;

    it("has the state of what it builds, in torchvision's order", () => {
      using net = new ResNet({ ...options, lastLayer: "layer1" });
      const norm = (name: string) =>
        ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"].map(
          (part) => `${name}.${part}`,
        );
      const block = (name: string) =>
        [1, 2, 3].flatMap((k) => [`${name}.conv${k}.weight`, ...norm(`${name}.bn${k}`)]);
      expect([...net.namedState().keys()]).to.deep.equal([
        "conv1.weight",
        ...norm("bn1"),
        ...block("layer1.0"),
        "layer1.0.downsample.0.weight",
        ...norm("layer1.0.downsample.1"),
      ]);
    });

    it("keeps of a pre-activation network the norm behind the last stage, where the whole one has it", () => {
      const state = (lastLayer: FeatureName) => {
        using net = new ResNet({ ...options, style: "preactivation", lastLayer, init: "zeros" });
        const names = [...net.namedState().keys()].filter((name) => /(bn_data|bn1|last)\.weight/.test(name));
        return names.filter((name) => !/layer[12]/.test(name));
      };
      expect(state("layer1")).to.deep.equal(["bn_data.weight", "bn1.weight"]);
      expect(state("layer2")).to.deep.equal(["bn_data.weight", "bn1.weight", "layer3.0.bn1.weight"]);
      expect(state("layer4").slice(-2)).to.deep.equal(["layer4.0.bn1.weight", "bn_last.weight"]);
    });

    for (const style of ["torch", "caffe", "preactivation"] as const) {
      it(`gives the features of the whole network (${style})`, async () => {
        using whole = build({ ...options, style }).eval();
        const dict = await whole.stateDict();
        const x = input();
        for (const lastLayer of ["layer2", "layer3"] as const) {
          using part = new ResNet({ ...options, style, lastLayer, init: "zeros" }).eval();
          const { leftOut, filled } = part.loadPretrained(dict);
          expect(leftOut).to.deep.equal([...dict.keys()].filter((name) => !part.namedState().has(name)));
          expect(leftOut).to.include("fc.bias");
          expect(filled).to.deep.equal([]);
          await close(
            part.features(x, [lastLayer])[lastLayer],
            await whole.features(x, [lastLayer])[lastLayer].data(),
            1e-7,
          );
        }
      });
    }

    it("runs, and counts in training, nothing behind the last layer asked for", async () => {
      using net = build({ ...options, style: "preactivation" });
      const convolutions = (names: FeatureName[]) =>
        explain(...Object.values(net.features(input(), names))).match(/= conv2d\(/g)?.length;
      await evaluate(...net.namedState().values());
      expect([convolutions(["layer1"]), convolutions(["layer2", "layer1"])]).to.deep.equal([5, 9]);
      net.loadStateDict(formulaWeights(net, 6));
      const { layer2 } = net.features(input(), ["layer2"]);
      await evaluate(layer2, ...net.namedState().values());
      const counted: string[] = [];
      for (const [name, variable] of net.namedState()) {
        if (name.endsWith("tracked") && (await variable.item()) === 1) counted.push(name.split(".bn")[0]!);
      }
      expect(new Set(counted)).to.deep.equal(
        new Set([
          "bn_data.num_batches_tracked",
          "bn1.num_batches_tracked",
          "layer1.0",
          "layer2.0",
          "layer3.0",
        ]),
      );
    });

    it("fills in batch counters that old files lack, and stays strict about everything else", async () => {
      using whole = build(options);
      const dict = await whole.stateDict();
      const counters = [...dict.keys()].filter((name) => name.endsWith("num_batches_tracked"));
      for (const name of counters) dict.delete(name);
      using part = new ResNet({ ...options, lastLayer: "layer2", init: "zeros" });
      const { filled } = part.loadPretrained(
        new Map([...dict].map(([name, entry]) => [`module.${name}`, entry])),
      );
      expect(filled).to.deep.equal(counters.filter((name) => !/^layer[34]/.test(name)));
      dict.set("layer2.1.conv1.weight", dict.get("layer2.0.conv1.weight")!);
      dict.delete("layer1.0.conv2.weight");
      expect(() => part.loadPretrained(dict))
        .to.throw(StateDictError)
        .with.property("problems")
        .that.deep.equals([
          'missing: "layer1.0.conv2.weight" [4, 4, 3, 3]',
          'unexpected: "layer2.1.conv1.weight" [8, 16, 1, 1]',
        ]);
      expect(() => whole.loadPretrained(dict)).to.throw(
        StateDictError,
        /unexpected: "layer2.1.conv1.weight"/,
      );
      await evaluate(...part.namedState().values());
    });
  });

  describe("folded", () => {
    const options = { layers: [1, 1], baseChannels: 4 } as const;
    const kernels = (net: ResNet): Record<string, number> => {
      const { layer2 } = net.features(input(), ["layer2"]);
      const counts: Record<string, number> = {};
      for (const [, kernel] of explain(layer2).matchAll(/ = (\w+)\(/g))
        counts[kernel!] = (counts[kernel!] ?? 0) + 1;
      return counts;
    };

    it("runs convolutions and the pooling, nothing else", async () => {
      using net = build(options).eval();
      using folded = await foldBatchNorm(net);
      // ReLUs, and the sum of each block, are the ends of convolutions, but on software adapters.
      const apart = currentDevice().capabilities.adapterClass === "software" ? { elementwise: 7 } : {};
      expect(kernels(folded)).to.deep.equal({ conv2d: 9, maxPool: 1, ...apart });
      expect(kernels(net.train())["batchNorm"]).to.equal(9);
      await evaluate(...net.namedState().values());
    });

    it("is a copy: training the network does not reach it, and it is not folded twice", async () => {
      using net = build(options).eval();
      using folded = await foldBatchNorm(net);
      const x = input();
      const before = await folded.features(x, ["layer2"]).layer2.data();
      net.conv1.weight.assign(net.conv1.weight.mul(2));
      net.train().features(x, ["layer2"]);
      await evaluate(...net.namedState().values());
      expect([...(await folded.features(x, ["layer2"]).layer2.data())]).to.deep.equal([...before]);
      const refusal = await foldBatchNorm(folded).catch((error: Error) => error.message);
      expect(refusal).to.match(/this network is folded already/);
    });

    it("keeps its state by name: convolutions with biases", async () => {
      using net = build(options);
      using folded = await foldBatchNorm(net);
      using other = new ResNet({ ...options, foldedBatchNorm: true, seed: 3 });
      expect(other.loadStateDict(await folded.stateDict())).to.deep.equal({ missing: [], unexpected: [] });
      expect([...folded.namedState().keys()].slice(0, 4)).to.deep.equal([
        "conv1.weight",
        "conv1.bias",
        "layer1.0.conv1.weight",
        "layer1.0.conv1.bias",
      ]);
      await evaluate(...other.namedState().values());
    });
  });
});
