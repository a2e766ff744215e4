/** Which convolutions Winograd's algorithm takes. What it computes is tested with the kernels' cases. */
import type { Capabilities, Kernel, Shape } from "@ddad/kernels-wgsl";
import * as library from "@ddad/kernels-wgsl";
import { expect } from "chai";

const software: Capabilities = {
  adapterClass: "software",
  f16: true,
  subgroups: true,
  subgroupSizes: [8, 8],
  maxInvocations: 1024,
  workgroupMemory: 32768,
  maxStorageBuffers: 8,
};
const discrete: Capabilities = { ...software, adapterClass: "discrete", subgroupSizes: [32, 32] };

interface Sizes {
  readonly x: Shape;
  readonly outChannels: number;
  readonly stride?: number;
  readonly tap?: number;
}

/** Names of the variants admitted for a convolution without padding, and for its input gradient. */
function namesOf({ x, outChannels, stride = 1, tap = 3 }: Sizes, caps: Capabilities): string[][] {
  const [batch, height, width, inChannels] = x as [number, number, number, number];
  const weight = library.spec([tap, tap, inChannels, outChannels]);
  const attrs = { stride, padding: [0, 0, 0, 0] as const, inputSize: [height, width] as const };
  const y = [height, width].map((extent) => Math.floor((extent - tap) / stride) + 1);
  const uses = [
    [library.conv2d, { x: library.spec(x), weight }],
    [library.conv2dInputGradient, { gradient: library.spec([batch, ...y, outChannels]), weight }],
  ] as unknown as readonly [Kernel, Record<string, library.TensorSpec>][];
  return uses.map(([kernel, inputs]) => {
    const call = { inputs, attrs, ...kernel.infer(inputs, attrs) };
    const admitted = kernel.variants.filter((variant) => library.admits(variant, caps, call));
    for (const variant of admitted.filter(({ name }) => name.startsWith("Winograd")))
      for (const tensor of Object.values(variant.scratch!(caps, call)))
        expect(library.bytesOf(tensor)).to.be.at.most(2 ** 27);
    return admitted.map(({ name }) => name);
  });
}

describe("Winograd's algorithm", () => {
  const large = { x: [4, 34, 34, 128], outChannels: 128 };

  it("is taken on software adapters where there are many channels and tiles", () => {
    for (const names of namesOf(large, software)) {
      expect(names[0]).to.equal("Winograd");
      expect(names).not.to.include("Winograd, autotuned");
    }
  });

  it("is left to autotuning on GPUs, where its transforms cost as much as it saves, and where it needs much memory", () => {
    const measured = (sizes: Sizes, caps: Capabilities) => {
      for (const names of namesOf(sizes, caps)) {
        expect(names).not.to.include("Winograd");
        expect(names.at(-1)).to.equal("Winograd, autotuned");
      }
    };
    measured(large, discrete);
    measured({ x: [2, 34, 34, 32], outChannels: 32 }, software);
    measured({ x: [1, 8, 8, 256], outChannels: 256 }, software);
    measured({ x: [2, 130, 130, 128], outChannels: 128 }, software);
  });

  it("is not offered for other taps and strides, odd channels, and more memory than any adapter can bind", () => {
    const others: readonly Sizes[] = [
      { ...large, tap: 1 },
      { ...large, tap: 5 },
      { ...large, stride: 2 },
      { ...large, outChannels: 126 },
      { x: [2, 18, 18, 131], outChannels: 128 },
      { x: [5, 130, 130, 128], outChannels: 128 },
    ];
    for (const sizes of others)
      for (const names of namesOf(sizes, software)) expect(names.join()).not.to.include("Winograd");
  });
});
