/** A failing kernel loses only its own time: the other variants and cases are still measured. */
import { expect } from "chai";
import { testDevice } from "../../packages/tensor/test/device.hooks.ts";
import { benchmarkKernels, type Run } from "../src/kernels.ts";

describe("the benchmark of kernels", () => {
  it("continues after a variant that does not compile", async () => {
    const device = testDevice();
    const { pipelines } = device;
    const failed: string[] = [];
    const run: Run = {
      device,
      ceilings: { copyGbps: 1, multiplyAddGflops: 1, subgroupMatrixGflops: 1, dispatchMicroseconds: 1 },
      effort: { seconds: 0, samples: 1, sampleMs: 0 },
      quick: true,
      allVariants: true,
      wanted: (name) => /^elementwise.*feature map sum/.test(name),
      report: () => {},
      failed: (name, error) => failed.push(`${name}: ${(error as Error).message}`),
    };
    const names: string[] = [];
    const compile = pipelines.pipeline.bind(pipelines);
    const value: typeof compile = (shader, label) =>
      label.startsWith("elementwise/vector")
        ? Promise.reject(new Error("no vectors"))
        : compile(shader, label);
    Object.defineProperty(pipelines, "pipeline", { value, configurable: true });
    try {
      for await (const { name } of benchmarkKernels(run)) names.push(name);
    } finally {
      Reflect.deleteProperty(pipelines, "pipeline");
    }
    expect(failed).to.deep.equal(["elementwise/vector feature map sum: no vectors"]);
    expect(names).to.deep.equal(["elementwise/scalar feature map sum"]);
  });
});
