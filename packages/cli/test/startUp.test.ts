/** What runs before a command is chosen: help, the version and wrong use must not wait for libraries to load. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const source = fileURLToPath(new URL("../src", import.meta.url));

/** Packages that a file loads at once, itself or by a file that it loads: `import type` and `import()` load nothing. */
function loadedBy(file: string, seen = new Set<string>()): Set<string> {
  const packages = new Set<string>();
  if (seen.has(file)) return packages;
  seen.add(file);
  const imports = /^(?:import|export)\s+(?!type\b)(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gm;
  for (const [, name] of readFileSync(file, "utf8").matchAll(imports)) {
    if (!name!.startsWith(".")) packages.add(name!);
    else for (const inner of loadedBy(join(dirname(file), name!), seen)) packages.add(inner);
  }
  return packages;
}

describe("the command before it runs", () => {
  it("loads commander and Node's own modules, and nothing else", () => {
    const main = join(source, "main.ts");
    expect(existsSync(main)).to.equal(true);
    const packages = [...loadedBy(main)].filter((name) => !name.startsWith("node:"));
    expect(packages).to.deep.equal(["commander"]);
    // The rule finds what a command loads.
    expect([...loadedBy(join(source, "predict.ts"))]).to.include("@ddad/node/internal");
  });
});
