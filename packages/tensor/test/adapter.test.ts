/** What is made of what an adapter says of itself. */
import { expect } from "chai";
import { subgroupMatrixFeature, subgroupMatrixOf, subgroupSizeFeature } from "../src/device/capabilities.ts";

const config = (componentType: string, resultComponentType: string, M: number, N: number, K: number) => ({
  ...{ componentType, resultComponentType, M, N, K },
});

/** As Dawn describes them, with drivers of 2026. */
const nvidia = [
  config("f16", "f32", 16, 8, 8),
  config("f16", "f32", 16, 16, 16),
  config("f16", "f16", 16, 16, 16),
];
const intel = [config("f16", "f32", 8, 16, 16), config("i8", "i32", 8, 16, 32)];

function adapter(
  subgroupMinSize: number | undefined,
  subgroupMaxSize: number | undefined,
  subgroupMatrixConfigs: readonly object[],
  ...features: GPUFeatureName[]
): Pick<GPUAdapter, "info" | "features"> {
  const info = { subgroupMinSize, subgroupMaxSize, subgroupMatrixConfigs } as unknown as GPUAdapterInfo;
  return { info, features: new Set([subgroupMatrixFeature, ...features]) };
}

describe("the matrix unit of an adapter", () => {
  it("is the largest with f16 operands and f32 sums, where subgroups have one size", () => {
    expect(subgroupMatrixOf(adapter(32, 32, nvidia))).to.deep.equal({ m: 16, n: 16, k: 16, lanes: 32 });
    expect(subgroupMatrixOf(adapter(32, 32, nvidia, subgroupSizeFeature))).to.not.have.property("sized");
    expect(subgroupMatrixOf(adapter(32, 32, [config("f16", "f16", 8, 8, 8)]))).to.equal(undefined);
  });

  it("takes subgroups of 32 where they come in several sizes and one can be asked for", () => {
    const asked = { m: 8, n: 16, k: 16, lanes: 32, sized: true };
    expect(subgroupMatrixOf(adapter(16, 32, intel, subgroupSizeFeature))).to.deep.equal(asked);
    expect(subgroupMatrixOf(adapter(32, 64, intel, subgroupSizeFeature))).to.deep.equal(asked);
    expect(subgroupMatrixOf(adapter(16, 32, intel))).to.equal(undefined);
    expect(subgroupMatrixOf(adapter(8, 16, intel, subgroupSizeFeature))).to.equal(undefined);
  });

  it("is none where the adapter does not offer it, or says nothing of its subgroups", () => {
    const { info } = adapter(32, 32, nvidia);
    expect(subgroupMatrixOf({ info, features: new Set() })).to.equal(undefined);
    expect(subgroupMatrixOf(adapter(undefined, undefined, nvidia))).to.equal(undefined);
  });
});
