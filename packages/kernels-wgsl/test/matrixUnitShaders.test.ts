/**
 * The shaders for hardware matrix units, tested without the hardware: Dawn's null adapter compiles and validates them.
 */
import type { Call, Capabilities, Case, Kernel, SubgroupMatrix } from "@ddad/kernels-wgsl";
import { assembleShader, isEmptyCall, kernels, prepareCase, spec } from "@ddad/kernels-wgsl";
import { expect } from "chai";
import { requestAdapter } from "../../tensor/src/device/adapter.ts";
import { subgroupMatrixFeature, subgroupSizeFeature } from "../../tensor/src/device/capabilities.ts";

/** Those of NVIDIA, AMD, Intel, and Apple. */
const units: readonly SubgroupMatrix[] = [
  { m: 16, n: 16, k: 16, lanes: 32 },
  { m: 16, n: 16, k: 16, lanes: 32, sized: true },
  { m: 8, n: 16, k: 16, lanes: 32, sized: true },
  { m: 8, n: 8, k: 8, lanes: 32 },
];

const capabilitiesWith = (subgroupMatrix: SubgroupMatrix): Capabilities => ({
  adapterClass: "discrete",
  f16: true,
  subgroups: true,
  subgroupSizes: [subgroupMatrix.lanes, subgroupMatrix.lanes],
  maxInvocations: 1024,
  workgroupMemory: 32768,
  maxStorageBuffers: 10,
  subgroupMatrix,
});

const names = ["matmul", "conv2d", "conv2dInputGradient", "conv2dWeightGradient"];
const products = kernels.filter(({ name }) => names.includes(name) || name.startsWith("attention"));
const operands: readonly string[] = [
  "a",
  "b",
  "x",
  "weight",
  "gradient",
  "query",
  "key",
  "value",
  "qkv",
  "y",
];
/** Beginnings of the names of the variants that run on the unit. */
const byUnit = ["subgroup matrix", "matrix products, autotuned"];

/** The call of a case with f16 operands: a matrix unit takes no others. */
function callInF16(kernel: Kernel, example: Case): Call {
  const { inputs, attrs } = prepareCase(kernel, example).call;
  const f16Inputs = Object.fromEntries(
    Object.entries(inputs).map(([name, input]) => [
      name,
      operands.includes(name) ? spec(input.shape, "f16") : input,
    ]),
  );
  return { inputs: f16Inputs, attrs, ...kernel.infer(f16Inputs, attrs) };
}

/** Every pass of every case that runs on the unit, by its label. */
const passesFor = (kernel: Kernel, caps: Capabilities) =>
  kernel.cases
    .filter(({ benchOnly }) => !benchOnly)
    .flatMap((example) => {
      const call = callInF16(kernel, example);
      if (isEmptyCall(call)) return []; // never dispatched
      return kernel.variants
        .filter(({ name, when }) => byUnit.some((start) => name.startsWith(start)) && when!(caps, call))
        .flatMap((variant) =>
          variant.passes(caps, call).map((pass) => ({
            label: `${kernel.name}/${variant.name} ${example.name}`,
            shader: assembleShader(kernel, pass, call.constants?.length),
          })),
        );
    });

/** What the compiler finds wrong. No pipeline is made: that adapter has less workgroup memory than those with matrix units. */
async function errorsOf(device: GPUDevice, code: string): Promise<string> {
  device.pushErrorScope("validation");
  const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
  await device.popErrorScope();
  return [...messages]
    .filter(({ type }) => type === "error")
    .map(({ lineNum, message }) => `line ${lineNum}: ${message}`)
    .join("\n");
}

describe("shaders for matrix units", () => {
  let device: GPUDevice;

  before(async () => {
    const toggles = ["enable-dawn-features=allow_unsafe_apis", "backend=null"];
    const adapter = await requestAdapter({ toggles });
    device = await adapter.requestDevice({
      requiredFeatures: ["shader-f16", "subgroups", subgroupMatrixFeature, subgroupSizeFeature],
    });
  });

  after(() => device.destroy());

  for (const unit of units) {
    it(`compile for ${unit.m}×${unit.n}×${unit.k} and ${unit.lanes} lanes${unit.sized ? ", asked for" : ""}`, async () => {
      const caps = capabilitiesWith(unit);
      const passes = products.flatMap((kernel) => passesFor(kernel, caps));
      expect(passes.length).to.be.above(100);
      for (const { label, shader } of passes) expect(await errorsOf(device, shader.code), label).to.equal("");
    });
  }

  it("are what attention as matrix products runs but for its softmax and its sums of gradients", () => {
    const shadersOf = (name: string): string[] =>
      passesFor(products.find((kernel) => kernel.name === name)!, capabilitiesWith(units[0]!)).map(
        ({ shader }) => shader.code,
      );
    const byMatrices = (code: string): boolean => code.includes("subgroupMatrixMultiplyAccumulate");
    for (const [name, fraction] of [
      ["attention", 2 / 3],
      ["attentionPacked", 2 / 3],
      ["attentionGradient", 5 / 6],
      ["attentionPackedGradient", 5 / 6],
    ] as const) {
      const shaders = shadersOf(name);
      expect(shaders.length).to.be.above(0);
      expect(shaders.filter(byMatrices), name).to.have.length(Math.round(shaders.length * fraction));
    }
  });

  it("are refused where they are wrong", async () => {
    const matmul = products.find(({ name }) => name === "matmul")!;
    const [pass] = passesFor(matmul, capabilitiesWith(units[0]!));
    const { code } = pass!.shader;
    expect(code).to.include("subgroup_matrix_left<f16");
    const wrong = code.replaceAll("subgroup_matrix_left<f16", "subgroup_matrix_left<f32");
    expect(await errorsOf(device, wrong)).to.not.equal("");
  });
});
