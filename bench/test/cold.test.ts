/** What cold starts are measured with: watched pipelines, processes that report, and the sums that are made of them. */
import { pathToFileURL } from "node:url";
import { setupDevice } from "@ddad/tensor";
import { expect } from "chai";
import { browserPrograms } from "../src/cold/browser.ts";
import { kernelsOf } from "../src/cold/cold.ts";
import type { DeviceStart } from "../src/cold/device.ts";
import { compilePipelinesAlone, countPipelines } from "../src/cold/pipelines.ts";
import type { ProcessCost } from "../src/cold/probe.ts";
import { fileHere, runNode, withFolder } from "../src/cold/processes.ts";
import { parseOptions, UsageError } from "../src/options.ts";

const shader = (factor: number): string => /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@compute @workgroup_size(1) fn main() { x[0] = x[0] * ${factor}.0; }`;

/** Two shaders, and the first of them again, by a device whose methods are put back afterwards. */
async function makeThree<T>(watch: (gpu: GPUDevice) => T): Promise<T> {
  const { gpu } = await setupDevice();
  const watched = watch(gpu);
  try {
    const bindGroupLayout = gpu.createBindGroupLayout({
      entries: [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "storage" } }],
    });
    const layout = gpu.createPipelineLayout({ bindGroupLayouts: [bindGroupLayout] });
    const make = (label: string, code: string): Promise<GPUComputePipeline> =>
      gpu.createComputePipelineAsync({
        label,
        layout,
        compute: { module: gpu.createShaderModule({ code }), entryPoint: "main" },
      });
    await Promise.all([make("a", shader(2)), make("b", shader(30)), make("c", shader(2))]);
  } finally {
    for (const name of Object.getOwnPropertyNames(gpu))
      if (name.startsWith("create")) Reflect.deleteProperty(gpu, name);
  }
  return watched;
}

describe("cold starts", function () {
  this.timeout(120_000);

  it("pipelines of one source count once", async () => {
    const made = await makeThree(countPipelines);
    expect(made()).to.deep.equal([
      { label: "a", bytes: shader(2).length, ms: 0, createMs: 0 },
      { label: "b", bytes: shader(30).length, ms: 0, createMs: 0 },
    ]);
  });

  it("pipelines that are compiled alone have the clock for themselves", async () => {
    let reads = 0;
    const made = await makeThree((gpu) => compilePipelinesAlone(gpu, () => ++reads));
    // Each reads the clock three times: before, when it is made, when it has run. Two at once would see the readings of the other.
    expect(made().map(({ label, createMs, ms }) => ({ label, createMs, ms }))).to.deep.equal([
      { label: "a", createMs: 1, ms: 2 },
      { label: "b", createMs: 1, ms: 2 },
    ]);
    expect(reads).to.equal(9);
  });

  it("kernels are summed by label, the most expensive first", () => {
    const pipelines = [
      { label: "a", bytes: 10, ms: 1, createMs: 0.5 },
      { label: "b", bytes: 20, ms: 5, createMs: 4 },
      { label: "a", bytes: 30, ms: 3, createMs: 1 },
    ];
    expect(kernelsOf(pipelines)).to.deep.equal([
      { label: "b", pipelines: 1, bytes: 20, ms: 5, createMs: 4 },
      { label: "a", pipelines: 2, bytes: 40, ms: 4, createMs: 1.5 },
    ]);
  });

  it("a whole program reports its processor time, and on request the pipelines of its devices", async () => {
    const program = `import { setupDevice, arange } from "@ddad/tensor";
      await setupDevice();
      console.log((await arange(5).sum().data())[0]);
      process.exit(0);`;
    const run = (query: string) =>
      withFolder((cache) =>
        runNode(
          [
            "--import",
            `${pathToFileURL(fileHere("probe")).href}${query}`,
            "--input-type=module",
            "--eval",
            program,
          ],
          { cache, cwd: import.meta.dirname },
        ),
      );
    const plain = await run("");
    expect(plain.output).to.equal("10\n");
    const cost = JSON.parse(plain.report) as ProcessCost;
    expect(cost.cpuMs).to.be.within(20, 60_000);
    expect(cost.pipelines).to.deep.equal([]);
    const { pipelines: counted } = JSON.parse((await run("?count")).report) as ProcessCost;
    const { pipelines: alone } = JSON.parse((await run("?alone")).report) as ProcessCost;
    expect(alone.some(({ label, ms }) => label.startsWith("sum") && ms > 0)).to.equal(true);
    expect(counted).to.deep.equal(alone.map((pipeline) => ({ ...pipeline, ms: 0, createMs: 0 })));
  });

  it("a process gets an empty cache folder, and its failure is shown", async () => {
    const program = "console.log(process.env.MESA_SHADER_CACHE_DIR, process.env.DDAD_TUNING)";
    await withFolder(async (cache) => {
      expect((await runNode(["--eval", program], { cache })).output).to.equal(`${cache} off\n`);
      const error = await runNode(["--eval", "throw new Error('no such image')"], { cache }).catch((e) => e);
      expect(String(error)).to.match(/exit code 1\.[\s\S]*no such image/);
    });
  });

  it("the parts of the device's start add up to it", async () => {
    const { output } = await withFolder((cache) => runNode([fileHere("device")], { cache }));
    const { parts, firstMs } = JSON.parse(output) as DeviceStart;
    expect(parts.map(({ name }) => name)).to.include.members(["Dawn's library", "adapter", "device"]);
    const sum = parts.reduce((total, { ms }) => total + ms, 0);
    expect(sum).to.be.closeTo(firstMs, 5);
  });

  it("a browser is only asked for cold starts", () => {
    expect(() => parseOptions(["--browser"])).to.throw(UsageError, "add --cold");
    expect(parseOptions(["--cold", "--browser"])).to.include({ cold: true, browser: true });
    expect(browserPrograms).to.include("demo: training step, batch 4");
    expect(browserPrograms.filter((name) => name.startsWith("DDAD-S"))).to.deep.equal([]);
  });
});
