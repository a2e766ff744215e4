/** The code of the packages' READMEs is these files (`docs.test.ts` compares them); here each runs as a program. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";

const root = join(import.meta.dirname, "..");

/** What each program prints, of which the READMEs' comments say the most. */
const printed: Readonly<Record<string, RegExp>> = {
  kernels: /^output \[ 2 \] flops 36\ndistances \[ 0, 1 \]\n[\s\S]*@compute @workgroup_size/,
  tensor: /^weight 1\.00 2\.00\n$/,
  nn: /^answers -?0\.0 1\.0 1\.0 -?0\.0\ncheckpoint \d+ bytes\n$/,
  node: /^[\s\S]*training on \d+ images [\s\S]*step: 50 steps\n[\s\S]*test\/good\/000\.png \d\.\d\d (good|defective)\n/,
  ddad: /^test\/good\/0 \d\.\d\d good\n[\s\S]*test\/scratch\/0 \d\.\d\d defective\n/,
};
const folders: Readonly<Record<string, string>> = { kernels: "kernels-wgsl" };

describe("the READMEs of the packages", () => {
  for (const [name, expected] of Object.entries(printed)) {
    it(`${name} runs and prints what it says`, () => {
      const words = [
        "--conditions=@ddad/source",
        "--import",
        "tsx",
        join("examples", "packages", `${name}.ts`),
      ];
      const { stdout, stderr, status } = spawnSync(process.execPath, words, { cwd: root, encoding: "utf8" });
      expect(status, stderr).to.equal(0);
      expect(stdout).to.match(expected);
      const readme = readFileSync(join(root, "packages", folders[name] ?? name, "README.md"), "utf8");
      expect(readme).to.contain(`\`\`\`ts examples/packages/${name}.ts\n`);
    });
  }
});
