/** What bundles for browsers hold (`scripts/lean.mjs`): the same kernels with the same shaders, without what only tests need. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as library from "@ddad/kernels-wgsl";
import type { Capabilities, Kernel } from "@ddad/kernels-wgsl";
import { expect } from "chai";

type Library = typeof library;

const plain: Capabilities = {
  adapterClass: "discrete",
  f16: true,
  subgroups: true,
  subgroupSizes: [32, 32],
  maxInvocations: 1024,
  workgroupMemory: 32768,
  maxStorageBuffers: 10,
};
const adapters: readonly Capabilities[] = [
  plain,
  { ...plain, adapterClass: "software" },
  { ...plain, subgroups: false, subgroupSizes: [0, 0] },
  { ...plain, subgroupMatrix: { m: 16, n: 16, k: 16, lanes: 32 } },
];

/** A shader as compilers see it. */
const bare = (code: string): string => code.replace(/[ \t]*\/\/[^\n]*/g, "").replace(/\s*\n\s*/g, "\n");
/** What `tune` reads of a kernel's cases. */
const tolerance = ({ cases }: Kernel): number =>
  cases.reduce((most, { tolerance: one = 0 }) => Math.max(most, one), 1e-5);

describe("the kernels of bundles", () => {
  const dist = join(import.meta.dirname, "..", "dist");
  const load = async (...path: string[]) =>
    (await import(pathToFileURL(join(dist, ...path)).href)) as Library;
  let full: Library;
  let lean: Library;

  before(async function () {
    if (!existsSync(join(dist, "lean", "index.js"))) {
      console.log("    skipped: there is no build; npm run build makes it");
      this.skip();
    }
    full = await load("index.js");
    lean = await load("lean", "index.js");
  });

  it("are all there, each with the tolerance of its cases", () => {
    expect(lean.kernels.map(({ name }) => name)).to.deep.equal(full.kernels.map(({ name }) => name));
    expect(lean.kernels.map(tolerance)).to.deep.equal(full.kernels.map(tolerance));
  });

  it("have no case or reference left of most kernels, and say where those are", () => {
    const kept = lean.kernels.filter(({ cases }) => cases.some(({ name }) => name !== ""));
    expect(kept.length).to.be.lessThan(lean.kernels.length / 4);
    const call = lean.caseCall(lean.gaussianBlur as unknown as Kernel, {
      inputs: { x: [1, 2, 2, 1] },
      attrs: { sigma: 1, taps: 3 },
    });
    expect(() => (lean.gaussianBlur as unknown as Kernel).reference({}, call)).to.throw(
      "reference: bundles for browsers hold kernels without references and cases. Import @ddad/kernels-wgsl/full for them.",
    );
  });

  it("run the same shaders but for comments and indentation", () => {
    let shaders = 0;
    for (const [index, kernel] of full.kernels.entries()) {
      for (const example of kernel.cases) {
        const call = full.caseCall(kernel, example);
        if (full.isEmptyCall(call)) continue;
        for (const caps of adapters) {
          const chosen = full.usualVariants(kernel).findIndex((one) => full.admits(one, caps, call));
          const other = lean.kernels[index]!;
          const passes = other.variants[chosen]!.passes(caps, call);
          for (const [number, pass] of kernel.variants[chosen]!.passes(caps, call).entries()) {
            const code = bare(full.assembleShader(kernel, pass).code);
            expect(bare(lean.assembleShader(other, passes[number]!).code), example.name).to.equal(code);
            shaders++;
          }
        }
      }
    }
    expect(shaders).to.be.greaterThan(1000);
  });
});
