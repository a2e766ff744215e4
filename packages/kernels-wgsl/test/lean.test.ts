/** What bundles for browsers hold (`scripts/lean.mjs`): the same kernels with the same shaders, without what only tests need. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as library from "@ddad/kernels-wgsl";
import { type Capabilities, defineKernel, type Kernel, KernelError, kernels } from "@ddad/kernels-wgsl";
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
/** The largest tolerance of a kernel's cases. */
const ofCases = ({ cases }: Kernel): number =>
  cases.reduce((most, { tolerance = 0 }) => Math.max(most, tolerance), 1e-5);
const parts = ["cases", "refusals", "reference"] as const;

describe("the kernels of bundles", () => {
  const dist = join(import.meta.dirname, "..", "dist");
  const folder = mkdtempSync(join(tmpdir(), "ddad-lean-"));
  const load = async (file: string) => (await import(pathToFileURL(file).href)) as Library;
  let full: Library;
  let lean: Library;

  before(async function () {
    this.timeout(60_000);
    if (!existsSync(join(dist, "index.js"))) {
      console.log("    skipped: there is no build; npm run build makes it");
      this.skip();
    }
    const script = join(import.meta.dirname, "..", "..", "..", "scripts", "lean.mjs");
    execFileSync(process.execPath, [script, folder]);
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    full = await load(join(dist, "index.js"));
    lean = await load(join(folder, "index.js"));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it("are all there, and the package exports the same names", () => {
    expect(Object.keys(lean)).to.deep.equal(Object.keys(full));
    expect(lean.kernels.map(({ name }) => name)).to.deep.equal(full.kernels.map(({ name }) => name));
  });

  it("are without cases, refusals and references, and throw where one is read", () => {
    for (const kernel of lean.kernels) {
      for (const part of parts)
        expect(() => kernel[part]).to.throw(
          lean.KernelError,
          `${kernel.name}: the build for browsers leaves out ${part}; import @ddad/kernels-wgsl/full for kernels with all parts.`,
        );
      expect({ ...kernel }).to.not.have.any.keys(...parts);
    }
  });

  it("leave nothing behind that only cases and refusals used", () => {
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) =>
      file.endsWith(".js"),
    );
    expect(files.filter((file) => /cases/i.test(file))).to.deep.equal([]);
    const left = files.filter((file) =>
      /bench: true|tolerance: 0,|message: \//.test(readFileSync(join(folder, file), "utf8")),
    );
    expect(left).to.deep.equal([]);
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

describe("defineKernel", () => {
  it("leaves a kernel with all parts as it is", () => {
    const kernel = kernels[0]!;
    expect(defineKernel({ ...kernel })).to.deep.equal(kernel);
  });

  it("throws where a part is read that a build left out", () => {
    const { reference: _, ...rest } = kernels[0]!;
    const kernel = defineKernel(rest as Kernel);
    expect(() => kernel.reference).to.throw(
      KernelError,
      `${kernel.name}: the build for browsers leaves out reference`,
    );
    expect(kernel.cases).to.equal(rest.cases);
  });

  it("is given the largest tolerance of a kernel's cases", () => {
    for (const kernel of kernels) expect(kernel.tolerance ?? 1e-5, kernel.name).to.equal(ofCases(kernel));
  });
});
