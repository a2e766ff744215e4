/** The programs behind the ceilings compute what is expected of them; what does not is refused; and the rule of the percentage. */
import { expect } from "chai";
import { matrixUnit } from "../../packages/kernels-wgsl/src/matmul/matrixUnit.ts";
import { requestAdapter } from "../../packages/tensor/src/device/adapter.ts";
import { subgroupMatrixFeature, subgroupSizeFeature } from "../../packages/tensor/src/device/capabilities.ts";
import { testDevice } from "../../packages/tensor/test/device.hooks.ts";
import { copy, empty, matrixProducts, multiplyAdd, type Program } from "../src/ceilingPrograms.ts";
import { CeilingBench, checkProgram, leastMilliseconds, measureCeilings } from "../src/ceilings.ts";

const adding = { rounds: 64, threads: 2 ** 12 };
const refuse = (_name: string, error: unknown): never => {
  throw error;
};
const effort = { seconds: 0, samples: 1, sampleMs: 0 };

describe("ceilings of an adapter", () => {
  const run = async (program: Program): Promise<void> => {
    using bench = new CeilingBench(testDevice(), 2 ** 22, effort, refuse);
    await bench.check(program);
  };

  it("counts what the programs do", () => {
    expect(multiplyAdd("f32", 4, 4, adding).flops).to.equal(2 ** 12 * 64 * 4 * 4 * 2);
    const work = { rounds: 10, workgroups: 3 };
    const { flops, count } = matrixProducts({ m: 16, n: 8, k: 4, lanes: 32 }, 2, 3, work);
    expect(flops).to.equal(3 * 4 * 10 * 2 * 3 * (2 * 16 * 8 * 4));
    expect(count).to.equal(3 * 4 * 2 * 3 * 16 * 8);
  });

  it("nothing, a copy, and multiply-adds of both types", async function () {
    await run(empty);
    await run(copy(2 ** 20));
    await run(multiplyAdd("f32", 2, 8, adding));
    if (!testDevice().capabilities.f16) return this.skip();
    await run(multiplyAdd("f16", 8, 2, adding));
  });

  it("matrix products, by an emulated unit", async () => {
    const sizes = { m: 8, n: 16, k: 4, lanes: 32, emulated: true };
    const syntax = matrixUnit(sizes, { name: "lefts", stride: 4 }, { name: "rights", stride: 16 });
    await run(matrixProducts(sizes, 2, 3, { rounds: 5, workgroups: 2 }, syntax));
  });

  it("matrix products, in the words of the hardware: compiled for an adapter that has every feature and runs nothing", async () => {
    const adapter = await requestAdapter({
      toggles: ["enable-dawn-features=allow_unsafe_apis", "backend=null"],
    });
    const requiredFeatures: GPUFeatureName[] = [
      "shader-f16",
      "subgroups",
      subgroupMatrixFeature,
      subgroupSizeFeature,
    ];
    const device = await adapter.requestDevice({ requiredFeatures });
    try {
      for (const [m, n, k, sized] of [
        [8, 8, 8, false],
        [16, 16, 8, false],
        [8, 32, 16, true],
      ] as const) {
        const sizes = { m, n, k, lanes: 32, sized };
        const { shader } = matrixProducts(sizes, 2, 4, { rounds: 5, workgroups: 2 });
        expect(shader.code.includes("@subgroup_size(32)")).to.equal(sized);
        const { messages } = await device.createShaderModule({ code: shader.code }).getCompilationInfo();
        expect(messages.map(({ message }) => message)).to.deep.equal([]);
      }
    } finally {
      device.destroy();
    }
  });

  it("one wrong number is refused, and one that is missing", () => {
    const program = { ...empty, count: 3, tolerance: 1e-3, expected: (index: number) => 100 * index };
    checkProgram(program, Float32Array.of(0.1, 100, 200.1));
    expect(() => checkProgram(program, Float32Array.of(0, 101, 200))).to.throw(
      "The ceiling of empty is wrong: number 1 is 101, not 100.",
    );
    expect(() => checkProgram(program, Float32Array.of(0, 100, Number.NaN))).to.throw(/number 2 is NaN/);
    expect(() => checkProgram(program, Float32Array.of(0, 100))).to.throw(/number 2 is undefined/);
  });

  it("of several programs the right ones count, and one of them there must be", async () => {
    const failed: string[] = [];
    using bench = new CeilingBench(testDevice(), 2 ** 22, effort, (name, error) => {
      failed.push(`${name}: ${error}`);
    });
    const right = multiplyAdd("f32", 1, 8, adding);
    const wrong = { ...right, name: "one more", expected: (index: number) => 1 + right.expected(index) };
    expect(await bench.best([wrong, right])).to.be.greaterThan(0);
    expect(failed.join()).to.match(/^one more: Error: The ceiling of one more is wrong/);
    const failure = await bench.best([wrong]).catch((error: Error) => error.message);
    expect(failure).to.equal("No program for the ceiling of one more is right.");
  });

  it("all are there that the adapter can have", async () => {
    const { f16, subgroupMatrix } = testDevice().capabilities;
    const ceilings = await measureCeilings(testDevice(), effort, refuse);
    for (const rate of Object.values(ceilings)) expect(rate).to.be.greaterThan(0);
    expect("multiplyAddF16Gflops" in ceilings).to.equal(f16);
    expect("subgroupMatrixGflops" in ceilings).to.equal(subgroupMatrix !== undefined);
  });
});

describe("the time that ceilings allow", () => {
  const ceilings = { copyGbps: 100, multiplyAddGflops: 1000, dispatchMicroseconds: 1 };
  const withUnit = { ...ceilings, multiplyAddF16Gflops: 2000, subgroupMatrixGflops: 8000 };

  it("is that of memory or of arithmetic, whichever takes longer", () => {
    expect(leastMilliseconds({ flops: 1e9, bytes: 1e6 }, ceilings)).to.be.closeTo(1, 1e-9);
    expect(leastMilliseconds({ flops: 1e9, bytes: 1e9 }, ceilings)).to.be.closeTo(10, 1e-9);
  });

  it("counts only the matrix unit's work at its rate", () => {
    const work = { flops: 9e9, bytes: 0 };
    expect(leastMilliseconds({ ...work, matrixFlops: 8e9 }, withUnit)).to.be.closeTo(2, 1e-9);
    expect(leastMilliseconds(work, withUnit)).to.be.closeTo(9, 1e-9);
  });

  it("is unknown where the matrix unit was not measured", () => {
    expect(() => leastMilliseconds({ flops: 1, bytes: 0, matrixFlops: 1 }, ceilings)).to.throw(/no ceiling/);
  });
});
