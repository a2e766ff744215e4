/**
 * Variants that only `tune` takes: other tiles of products, and other degrees of split-K. Tiles that no heuristic takes are tried once
 * or twice each, on matrices, and some on convolutions, which read their operands in other ways. An adapter need not admit
 * them: software adapters run here what they would never take.
 */
import type { Capabilities, Kernel } from "@ddad/kernels-wgsl";
import * as library from "@ddad/kernels-wgsl";
import { expect } from "chai";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import { compare, runVariant } from "./harness.ts";

type AnyVariant = Kernel["variants"][number];

const plain = { transposeA: false, transposeB: false };
const transposed = { transposeA: true, transposeB: true };
/** More than one tile each way, the last of them not whole; k is divided where few tiles leave a reason to. */
const matrices = {
  plain: { inputs: { a: [131, 773], b: [773, 133], bias: [133] }, attrs: plain },
  transposed: { inputs: { a: [773, 131], b: [133, 773] }, attrs: transposed },
  small: { inputs: { a: [19, 773], b: [773, 21], bias: [21] }, attrs: plain },
} satisfies Record<string, Pick<library.Case, "inputs" | "attrs">>;

const matmulVariants: readonly [name: string, ...cases: (keyof typeof matrices)[]][] = [
  ["register tile of 4×2 a lane", "plain", "transposed"],
  ["register tile of 2×4 a lane", "plain"],
  ["register tile of 8×2 a lane", "plain", "transposed"],
  ["register tile of 4×2 a lane, no split-K", "small"],
  ["register tile of 4×2 a lane, more split-K", "small"],
  ["workgroup tile 64×64 of 4 rows a thread", "plain"],
  ["workgroup tile 64×32, no split-K", "transposed"],
  ["workgroup tile 32×64, more split-K", "plain"],
  ["workgroup tile 128×32", "transposed"],
  ["workgroup tile 128×64", "plain"],
  ["workgroup tile 64×128", "transposed"],
  ["workgroup tile 128×128, no split-K", "plain"],
  ["subgroup matrix 64×64", "transposed"],
  ["subgroup matrix 32×128", "plain"],
];

const convolutions = [
  library.conv2d,
  library.conv2dInputGradient,
  library.conv2dWeightGradient,
] as unknown as readonly Kernel[];
/** Each on cases of some of the kernels. */
const convolutionVariants: readonly [name: string, ...cases: string[]][] = [
  ["register tile of 4×2 a lane", "3×3, stride 2"],
  ["workgroup tile 128×32", "3×3, stride 2"],
  [
    "Winograd, autotuned",
    "tile borders",
    "f16",
    "epilogue: a shift of each image, and a residual",
    "many channels, odd height and width",
    "many channels, no padding",
    "many channels, all the padding that changes anything",
    "many channels, uneven padding",
    "many channels, f16",
    "epilogue: many channels",
  ],
];

/** Reductions divided otherwise than usual, on cases of `sum` and `max`. */
const reductionVariants: readonly [name: string, ...cases: string[]][] = [
  ["subgroup, whole", "a second pass, odd"],
  ["subgroup, divided", "odd channels, several loads at once", "far from zero on the wrong side"],
  ["workgroup, whole", "a second pass"],
  ["workgroup, divided", "f16, overflow to infinity", "odd channels, several loads at once", "long rows"],
];

/** The large unit keeps the shaders short: each compiles for seconds on a CPU. */
const withUnit = (capabilities: Capabilities): Capabilities => ({
  ...capabilities,
  subgroupMatrix: { m: 16, n: 16, k: 16, lanes: 64, emulated: true },
});

function variantOf(kernel: Kernel, name: string): AnyVariant {
  const variant = kernel.variants.slice(library.usualVariants(kernel).length).find((v) => v.name === name);
  expect(variant, name).not.to.equal(undefined);
  return variant!;
}

async function check(
  test: Mocha.Context,
  kernel: Kernel,
  name: string,
  example: Pick<library.Case, "inputs" | "attrs">,
): Promise<void> {
  const { gpu, capabilities } = testDevice();
  const { call, values } = library.prepareCase(kernel, example);
  const [least, most] = capabilities.subgroupSizes;
  if (/^(register tile|subgroup,)/.test(name) && !(capabilities.subgroups && least >= 4 && least === most)) {
    console.log("    skipped: this adapter has no subgroups of one size");
    test.skip();
  }
  if (!capabilities.f16 && Object.values(call.inputs).some((input) => input?.dtype === "f16")) {
    console.log("    skipped: this adapter has no shader-f16");
    test.skip();
  }
  const caps = name.startsWith("subgroup matrix") ? withUnit(capabilities) : capabilities;
  const expected = kernel.reference(values, call);
  const got = await runVariant(gpu, caps, kernel, variantOf(kernel, name), call, values);
  for (const [output, { dtype }] of Object.entries(call.outputs))
    compare(`${kernel.name}/${name}: ${output}`, got[output]!, expected[output]!, dtype, 1e-5);
}

describe("variants for tuning", function () {
  this.timeout(60_000);
  const matmul = library.matmul as unknown as Kernel;
  for (const [name, ...cases] of matmulVariants) {
    for (const example of cases) {
      it(`matmul/${name}: ${example}`, function () {
        return check(this, matmul, name, matrices[example]);
      });
    }
  }
  for (const kernel of convolutions) {
    for (const [name, ...cases] of convolutionVariants) {
      if (!kernel.variants.some((variant) => variant.name === name)) continue;
      for (const example of kernel.cases.filter((one) => cases.includes(one.name))) {
        it(`${kernel.name}/${name}: ${example.name}`, function () {
          return check(this, kernel, name, example);
        });
      }
    }
  }

  for (const kernel of [library.sum, library.max] as unknown as readonly Kernel[]) {
    for (const [name, ...cases] of reductionVariants) {
      for (const example of kernel.cases.filter((one) => cases.includes(one.name))) {
        it(`${kernel.name}/${name}: ${example.name}`, function () {
          return check(this, kernel, name, example);
        });
      }
    }
  }

  it("are admitted once each: what the heuristic or another does already is left out", () => {
    const discrete: Capabilities = {
      ...testDevice().capabilities,
      adapterClass: "discrete",
      maxInvocations: 1024,
      workgroupMemory: 49152,
      subgroupMatrix: undefined,
    };
    const admitted = (a: number[], b: number[], caps = discrete) => {
      const { call } = library.prepareCase(matmul, { inputs: { a, b }, attrs: plain });
      return matmul.variants.filter((variant) => library.admits(variant, caps, call)).map(({ name }) => name);
    };
    // The heuristic takes 64×64, and there are tiles enough not to divide k.
    expect(admitted([1024, 64], [64, 1024])).to.deep.equal([
      "workgroup tile",
      "workgroup tile 64×64 of 4 rows a thread",
      "workgroup tile 32×32",
      "workgroup tile 64×32",
      "workgroup tile 32×64",
      "workgroup tile 64×16",
      "workgroup tile 16×64",
      "workgroup tile 128×32",
      "workgroup tile 128×64",
      "workgroup tile 64×128",
      "workgroup tile 128×128",
    ]);
    // No tile of which more than half would be empty; the heuristic splits a long k; tuning may leave it whole or split it more.
    expect(admitted([19, 4096], [4096, 21])).to.deep.equal([
      "workgroup tile",
      "workgroup tile 32×32, no split-K",
      "workgroup tile 32×32, more split-K",
    ]);
    // Barriers are expensive on a software adapter.
    expect(admitted([1024, 64], [64, 1024], { ...discrete, adapterClass: "software" })).not.to.include(
      "workgroup tile 32×32",
    );
  });
});
