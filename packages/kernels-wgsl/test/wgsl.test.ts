/** `npm run wgsl` prints shaders; the heads of the large kernels name the files that hold theirs. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { kernels } from "@ddad/kernels-wgsl";
import { expect } from "chai";
import { answer } from "../../../scripts/wgsl.ts";

const sources = join(dirname(fileURLToPath(import.meta.url)), "..", "src");

describe("npm run wgsl", () => {
  it("prints every pass of a case, with bindings, shapes and workgroups", () => {
    const { text, code } = answer(["conv2d", "residual block"]);
    expect(code).to.equal(0);
    expect(text).to.match(/^\/\/ conv2d, "residual block", variant "workgroup tile"\n/);
    expect(text).to.include("// pass 1 of 1: 128 × 1 × 1 workgroups");
    expect(text).to.include("//   1: weight [3, 3, 64, 64] f32, read");
    expect(text).to.include("//   3: y [2, 32, 32, 64] f32, written");
    expect(text).to.include("@group(0) @binding(3) var<storage, read_write> result: array<vec4<f32>>;");
    expect(text).to.match(/\/\/ numbers: .*\bchannelQuads 16\b/);
    expect(text).to.match(/@compute @workgroup_size\(64\)\nfn main\(/);
  });

  it("prints the requested variant and adapter", () => {
    const passes = answer(["conv2d", "many channels, no padding", "Winograd, autotuned"]).text;
    expect(passes).to.match(/\/\/ pass 1 of (\d), .+ workgroups/);
    expect(passes).to.match(/\/\/ {3}\d: \w+ \[[\d, ]+\] f32, scratch/);
    const software = answer(["groupNorm", "groups of six", "--adapter", "software"]).text;
    expect(software).to.include('variant "channel blocks"');
  });

  it("has a shader for every case of every kernel", () => {
    for (const kernel of kernels) {
      for (const { name, inputs } of kernel.cases) {
        const half = Object.values(inputs).some((input) => (input as { dtype?: string }).dtype === "f16");
        const { text, code } = answer([kernel.name, name, "--adapter", half ? "discrete" : "least"]);
        expect(code, `${kernel.name}, ${name}: ${text.slice(0, 200)}`).to.equal(0);
        expect(text, `${kernel.name}, ${name}`).to.match(/@workgroup_size\(|every output is empty/);
      }
    }
  });

  it("lists the choices where a name is unknown", () => {
    const words: readonly (readonly [string[], string])[] = [
      [["convolution"], 'no kernel named "convolution". There are:\n'],
      [["conv2d", "resid"], 'no case of conv2d named "resid". There are:\n'],
      [["conv2d", "residual block", "fast"], 'on the adapter "discrete" named "fast". There are:\n'],
      [["conv2d", "--adapter", "fpga"], 'no adapter named "fpga". There are:\n  discrete'],
    ];
    for (const [given, expected] of words) {
      const { text, code } = answer(given);
      expect(code).to.equal(2);
      expect(text).to.include(expected);
    }
    expect(answer([]).text).to.include("  groupNorm\n");
    const { text } = answer(["conv2d"]);
    expect(text).to.match(/^cases of conv2d:\n {2}one element\n[\s\S]*\n {2}residual block\n/);
    expect(text).to.match(/\nvariants:\n {2}few outputs\n/);
  });
});

describe("the head of a large kernel", () => {
  for (const file of [
    "conv2d/conv2d.ts",
    "matmul/matmul.ts",
    "attention/attention.ts",
    "norm/groupNorm.ts",
  ]) {
    it(`of ${file} names the files that hold its WGSL`, () => {
      const head = readFileSync(join(sources, file), "utf8").split("*/")[0]!;
      const named = [...head.matchAll(/`([./\w]+\.ts)`/g)].map(([, name]) =>
        join(sources, dirname(file), name!),
      );
      expect(named).to.have.length.greaterThan(2);
      for (const path of named) {
        expect(existsSync(path), path).to.equal(true);
        expect(readFileSync(path, "utf8"), path).to.include("/* wgsl */");
      }
      const [, command] = head.match(/`npm run wgsl -- (.+)` prints/)!;
      const words = [...command!.matchAll(/"([^"]+)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!);
      expect(answer(words).code).to.equal(0);
    });
  }
});
