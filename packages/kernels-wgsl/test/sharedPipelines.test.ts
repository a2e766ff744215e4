/** Calls of different sizes and kernels that run one shader: a compiler for CPUs takes half a second for each large one. */
import type { Capabilities, Kernel, Shape } from "@ddad/kernels-wgsl";
import * as library from "@ddad/kernels-wgsl";
import { expect } from "chai";

/** lavapipe on processors with AVX2. */
const software: Capabilities = {
  adapterClass: "software",
  f16: true,
  subgroups: true,
  subgroupSizes: [8, 8],
  maxInvocations: 1024,
  workgroupMemory: 32768,
  maxStorageBuffers: 16,
};

/** The shaders of a call, as its usual variant has them. */
function shadersOf(given: { readonly name: string }, inputs: Record<string, Shape>, attrs: object): string[] {
  const kernel = given as unknown as Kernel;
  const call = library.caseCall(kernel, { inputs, attrs });
  const variant = library.usualVariants(kernel).find((one) => library.admits(one, software, call))!;
  return variant.passes(software, call).map((pass) => library.assembleShader(kernel, pass).code);
}

const plain = { transposeA: false, transposeB: false };
const padded = { stride: 1, padding: [1, 1, 1, 1] };
const pointwise = { stride: 1, padding: [0, 0, 0, 0] };
const matmul = (a: Shape, b: Shape, bias?: Shape): string[] =>
  shadersOf(library.matmul, { a, b, ...(bias && { bias }) }, plain);
const conv2d = (x: Shape, weight: Shape, attrs: object): string[] =>
  shadersOf(library.conv2d, { x, weight, bias: [weight[3]!] }, attrs);

describe("one shader serves", () => {
  const product = matmul([64, 32], [32, 64]);

  it("products of all sizes, with a bias and without", () => {
    expect(product).to.have.length(1);
    expect(matmul([256, 96], [96, 128])).to.deep.equal(product);
    expect(matmul([64, 32], [32, 64], [64])).to.deep.equal(product);
  });

  it("products whose sums are split, and those whose are not", () => {
    const [multiply, total] = matmul([32, 4096], [4096, 32]);
    expect(multiply).to.equal(product[0]);
    expect(total).not.to.equal(undefined);
  });

  it("convolutions of single pixels, as products of matrices", () => {
    expect(conv2d([2, 16, 16, 64], [1, 1, 64, 32], pointwise)).to.deep.equal(product);
  });

  it("convolutions of three channels, which are padded, and of many", () => {
    const [many] = conv2d([2, 16, 16, 64], [3, 3, 64, 32], padded);
    const few = conv2d([2, 16, 16, 3], [3, 3, 3, 32], padded);
    expect(few).to.have.length(3);
    expect(few[0]).to.equal(few[1]);
    expect(few[2]).to.equal(many);
  });

  it("sums of all lengths", () => {
    const sum = (length: number): string[] => shadersOf(library.sum, { x: [length, 64] }, { axes: [0] });
    expect(sum(64)).to.deep.equal(sum(1000));
  });
});
