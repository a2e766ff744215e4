/** Feature distance and the published anomaly map, against the published code. */
import { evaluate, max, type ResNet, resnet50, type Tensor, tensor } from "@ddad/nn";
import { expect } from "chai";
import { channelsLast, formulaWeights, largestDifference } from "../../nn/test/golden.ts";
import { entry, type NpzArray, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { anomalyMap, batchWeights, pixelDistance } from "../src/detection/distance.ts";
import { type Extractor, featureDistance } from "../src/detection/features.ts";

/** Images or feature maps of the records, channels last. */
export const images = (arrays: Map<string, NpzArray>, key: string): Tensor => {
  const { data, shape } = entry(arrays, key, Float32Array);
  const [n, c, h, w] = shape as [number, number, number, number];
  return tensor(channelsLast(data, shape), [n, h, w, c]);
};

describe("featureDistance", () => {
  it("compares 3×3 means, zeros around them counted, and enlarges by corners", async function () {
    const arrays = readNpz(sharedOrSkip(this, "golden", "heatmap.npz"));
    // Each image is a feature map of its own: the piece that the published code was recorded on.
    const [f, g] = [images(arrays, "patch_f"), images(arrays, "patch_g")];
    const maps = new Map([
      [1, f],
      [2, g],
    ]);
    const recorded: Extractor = {
      features: (x, names) => {
        const which = maps.get(x.shape[0]!)!;
        return Object.fromEntries(names.map((name) => [name, which])) as Record<
          (typeof names)[number],
          Tensor
        >;
      },
    };
    const image = (count: number) => tensor(new Float32Array(count * 13 * 13 * 3), [count, 13, 13, 3]);
    const distance = await featureDistance(recorded, image(1), image(2), ["layer1"]).data();
    expect(largestDifference(distance, entry(arrays, "patch_up", Float32Array).data)).to.be.below(1e-5);
  });

  it("refuses to compare nothing", () => {
    const image = tensor(new Float32Array(3), [1, 1, 1, 3]);
    const nothing: Extractor = { features: () => ({}) as never };
    expect(() => featureDistance(nothing, image, image, [])).to.throw(/there is no layer to compare/);
  });

  describe("of ResNet-50, and the published map", function () {
    this.timeout(600_000);
    let arrays: Map<string, NpzArray>;
    let net: ResNet;
    before(function () {
      arrays = readNpz(sharedOrSkip(this, "golden", "heatmap.npz"));
      using whole = resnet50({ init: "zeros" });
      net = resnet50({ lastLayer: "layer3", init: "zeros" }).eval();
      net.loadPretrained(formulaWeights(whole, 5));
    });
    after(() => net?.dispose());

    it("are the recorded ones, before and after the blur, for both weights", async () => {
      const [output, target] = [images(arrays, "output"), images(arrays, "target")];
      const feature = featureDistance(net, output, target);
      const pixel = pixelDistance(output, target);
      await evaluate(feature, pixel);
      const differences: Record<string, number> = {};
      const compare = async (key: string, got: Tensor): Promise<void> => {
        differences[key] = largestDifference(await got.data(), entry(arrays, key, Float32Array).data);
      };
      await compare("f_d", feature);
      await compare("i_d", pixel);
      const maxima = { feature: await max(feature).item(), pixel: await max(pixel).item() };
      for (const weight of [1, 7]) {
        const weights = batchWeights([maxima], weight);
        const distances = [
          { distance: feature, weight: weights.feature! },
          { distance: pixel, weight: weights.pixel },
        ];
        await compare(`v${weight}|before_blur`, anomalyMap(distances, { blurSigma: 0 }));
        await compare(`v${weight}|result`, anomalyMap(distances, { blurSigma: 4 }));
      }
      const shown = Object.entries(differences).map(
        ([key, difference]) => `${key} ${difference.toExponential(1)}`,
      );
      console.log(`    largest differences: ${shown.join(", ")}`);
      expect(Math.max(...Object.values(differences))).to.be.below(1e-4);
    });
  });
});
