/** Philox against the known answers of Random123, and what the random kernels promise. */
import {
  type Call,
  type CaseValues,
  defineKernel,
  type Kernel,
  philox4x32,
  randomNormal,
  randomUniform,
  spec,
} from "@ddad/kernels-wgsl";
import { expect } from "chai";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import { philoxCode } from "../src/random/philox.ts";
import { runVariant } from "./harness.ts";

/** Random123's kat_vectors for philox4x32, 10 rounds: counter, key, words. */
const knownAnswers = [
  ["00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
  ["ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"],
  ["243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"],
].map((answer) => answer.map((words) => words.split(" ").map((word) => Number.parseInt(word, 16))));

const words = (count: number, of: (row: number[][]) => number[]): Float64Array =>
  Float64Array.from(knownAnswers.flatMap((answer) => of(answer).slice(0, count)));

/** The WGSL function by itself. */
const philox = defineKernel({
  name: "philox",
  inputs: ["counter", "key"],
  outputs: ["y"],
  params: {},
  infer: ({ counter }, _attrs: Record<string, never>) => ({ outputs: { y: counter }, params: {} }),
  variants: [
    {
      name: "one thread",
      passes: () => [
        {
          read: { counter: "vec4<u32>", key: "vec2<u32>" },
          write: { y: "vec4<u32>" },
          workgroups: [1, 1, 1],
          code: /* wgsl */ `${philoxCode}
@compute @workgroup_size(1) fn main() {
  for (var i = 0u; i < ${knownAnswers.length}u; i++) { y[i] = philox4x32(counter[i], key[i]); }
}`,
        },
      ],
    },
  ],
  reference: () => ({ y: words(4, (answer) => answer[2]!) }),
  cost: () => ({ flops: 0, bytes: 0 }),
  cases: [],
  refusals: [],
});

async function draw(kernel: Kernel, keys: number[][], row: number): Promise<Float64Array[]> {
  const { gpu, capabilities } = testDevice();
  const inputs = { key: spec([keys.length, 4], "u32") };
  const attrs = { shape: [keys.length, row] };
  const call: Call = { inputs, attrs, ...kernel.infer(inputs, attrs) };
  const values: CaseValues = { key: Float64Array.from(keys.flat()) };
  const { y } = await runVariant(gpu, capabilities, kernel, kernel.variants[0]!, call, values);
  return keys.map((_, n) => y!.slice(n * row, (n + 1) * row));
}

describe("Philox 4×32-10", () => {
  it("gives Random123's known answers in TypeScript", () => {
    for (const [counter, key, expected] of knownAnswers) {
      const [c0, c1, c2, c3] = counter as [number, number, number, number];
      expect(philox4x32([c0, c1, c2, c3], key as [number, number])).to.deep.equal(expected);
    }
  });

  it("gives Random123's known answers in WGSL", async () => {
    const { gpu, capabilities } = testDevice();
    const values = { counter: words(4, (answer) => answer[0]!), key: words(2, (answer) => answer[1]!) };
    const inputs = { counter: spec([3, 4], "u32"), key: spec([3, 2], "u32") };
    const call: Call = { inputs, attrs: {}, ...philox.infer(inputs, {}) };
    const { y } = await runVariant(gpu, capabilities, philox as Kernel, philox.variants[0]!, call, values);
    expect([...y!]).to.deep.equal([...words(4, (answer) => answer[2]!)]);
  });

  it("draws a row by its key alone, in any batch and order", async () => {
    const keys = [
      [1, 2, 3, 4],
      [1, 2, 3, 5],
      [7, 2, 3, 4],
    ];
    const [a, b, c] = await draw(randomNormal as Kernel, keys, 37);
    const [c2, a2] = await draw(randomNormal as Kernel, [keys[2]!, keys[0]!], 37);
    expect([...a2!]).to.deep.equal([...a!]);
    expect([...c2!]).to.deep.equal([...c!]);
    expect([...b!]).not.to.deep.equal([...a!]);
  });

  it("draws numbers with the moments of their distributions", async () => {
    const count = 1 << 20;
    const moments = (values: Float64Array) => {
      const mean = (power: number) => values.reduce((total, x) => total + x ** power, 0) / count;
      return [1, 2, 3, 4].map(mean);
    };
    // Six standard errors of each moment's mean: √((μ₂ₖ − μₖ²) / count).
    const close = (got: number[], expected: number[], std: number[]) => {
      got.forEach((moment, k) => {
        expect(moment, `moment ${k + 1}`).to.be.closeTo(expected[k]!, (6 * std[k]!) / Math.sqrt(count));
      });
    };
    const [normal] = await draw(randomNormal as Kernel, [[11, 12, 13, 14]], count);
    close(moments(normal!), [0, 1, 0, 3], [1, Math.sqrt(2), Math.sqrt(15), Math.sqrt(96)]);
    const [uniform] = await draw(randomUniform as Kernel, [[11, 12, 13, 14]], count);
    const expected = [1, 2, 3, 4].map((k) => 1 / (k + 1));
    close(
      moments(uniform!),
      expected,
      expected.map((mean, k) => Math.sqrt(1 / (2 * k + 3) - mean ** 2)),
    );
    expect(uniform!.every((x) => x >= 0 && x < 1)).to.equal(true);
  });
});
