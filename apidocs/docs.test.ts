/** The documents of the library cannot go stale: every export is described, and what they name exists. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import * as nn from "@ddad/nn";
import { expect } from "chai";
import { familyOf } from "./families.mjs";
import { operationsPage } from "./ops.ts";
import { scopeOf } from "./pytorchOperands.ts";
import { type Exported, readSurface } from "./surface.ts";

const root = join(import.meta.dirname, "..");
const entries = ["kernels-wgsl", "tensor", "nn", "ddad"].map((name) => `${name}/src/index.ts`);
const all = [...entries, "node/src/index.ts", "tensor/src/internal.ts", "nn/src/internal.ts"];

describe("the surface of the packages", () => {
  let surface: ReadonlyMap<string, readonly Exported[]>;
  before(() => {
    surface = readSurface(all);
  });

  for (const entry of all) {
    it(`${entry}: every export has a docstring`, () => {
      const exported = surface.get(entry)!;
      expect(exported.length).to.be.greaterThan(10);
      expect(exported.filter(({ doc }) => !doc).map(({ name, file }) => `${name} (${file})`)).to.deep.equal(
        [],
      );
    });
  }

  for (const entry of all) {
    it(`${entry}: every member of a class or an interface has a docstring`, () => {
      const bare = surface
        .get(entry)!
        .flatMap(({ name, file, bareMembers }) => bareMembers.map((member) => `${name}.${member} (${file})`));
      expect(bare).to.deep.equal([]);
    });
  }

  it("finds members without a docstring", () => {
    const text = `
      export interface Base {
        /** Words. */
        read(): void;
      }
      export class Example implements Base {
        constructor(/** Words. */ readonly size: number, readonly bare: number) {}
        read(): void {}
        /** @param x words */
        tagged(x: number): void {}
        [Symbol.dispose](): void {}
        count = 0;
      }`;
    const folder = mkdtempSync(join(root, "apidocs", ".bare-"));
    try {
      writeFileSync(join(folder, "example.ts"), text);
      const entry = relative(join(root, "packages"), join(folder, "example.ts"));
      const [, example] = readSurface([entry]).get(entry)!;
      expect(example!.bareMembers).to.deep.equal(["constructor", "bare", "[Symbol.dispose]", "count"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("no docstring begins with [X]:, which Markdown takes for the target of a link and does not show", () => {
    const hidden = [...surface.values()].flat().filter(({ doc }) => /^\[[^\]]*\]:/m.test(doc));
    expect(hidden.map(({ name }) => name)).to.deep.equal([]);
  });

  it("every export of nn, ddad and node has a family on the API site", () => {
    const shown = ["nn/src/index.ts", "ddad/src/index.ts", "node/src/index.ts"];
    const exported = shown.flatMap((entry) => surface.get(entry)!);
    const without = exported.filter(({ file, name }) => !familyOf(file, name));
    expect(without.map(({ name, file }) => `${name} (${file})`)).to.deep.equal([]);
  });

  it("docs/ops.md is what the sources say (npm run docs:ops writes it)", () => {
    const page = operationsPage(surface.get("tensor/src/index.ts")!);
    expect(readFileSync(join(root, "docs/ops.md"), "utf8")).to.equal(page);
  });
});

describe("docs/for-pytorch-users.md", () => {
  const text = readFileSync(join(root, "docs/for-pytorch-users.md"), "utf8");
  const rows = [...text.matchAll(/^\| `.*? \| (.*?) \| (.*?) \|$/gm)];
  /** What stands before the dot of a member → the object that has the member. */
  const owners: Readonly<Record<string, object>> = {
    x: nn.Tensor.prototype,
    logits: nn.Tensor.prototype,
    labels: nn.Tensor.prototype,
    images: nn.Tensor.prototype,
    v: nn.Variable.prototype,
    module: nn.Sequential.prototype,
    optimizer: nn.Optimizer.prototype,
    device: nn.Device.prototype,
  };
  /** Properties that instances have and prototypes have not. */
  const own: readonly string[] = ["shape", "dtype", "name"];

  it("has about 150 rows", () => expect(rows.length).to.be.greaterThan(140));

  for (const [, here = "", note = ""] of rows) {
    it(`names what exists: ${here}`, () => {
      const codes = [...here.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code.replace(/"[^"]*"/g, ""));
      expect(codes).not.to.deep.equal([]);
      for (const code of codes) {
        const [, owner, first = ""] = code.match(/^(?:await |new )?(?:(\w+)\.)?(\w+)/) ?? [];
        const called = [...code.matchAll(/(?:(\w+)\.)?(\w+)\(/g)].map(
          ([, of, name = ""]) => [of, name] as const,
        );
        for (const [of, name] of [[owner, first] as const, ...called]) {
          if (of === undefined) expect(nn).to.have.property(name);
          else if (!own.includes(name)) expect(name in owners[of]!, `${of}.${name}`).to.equal(true);
        }
      }
      for (const [, name = ""] of note.matchAll(/`([a-z]\w+)`/g))
        if (!["dtype", "learningRate", "grad"].includes(name)) expect(nn).to.have.property(name);
    });
  }

  describe("runs what it says", () => {
    let folder: string;
    let path: string;
    before(async () => {
      folder = mkdtempSync(join(tmpdir(), "ddad-apidocs-"));
      path = join(folder, "layer.safetensors");
      writeFileSync(path, nn.writeSafetensors(await new nn.Linear(3, 3).stateDict()));
    });
    after(() => rmSync(folder, { recursive: true }));

    for (const [, here = ""] of rows) {
      for (const [, code = ""] of here.matchAll(/`([^`]+)`/g)) {
        it(code, async function () {
          const scope = await scopeOf(code, path);
          try {
            const result: unknown = await runInScope(code, scope);
            await nn.evaluate(...(await tensorsIn(result)), scope["v"] as nn.Variable);
          } catch (error) {
            if (!(error instanceof nn.LimitError)) throw error;
            this.skip(); // an adapter without f16 or timestamps
          }
        });
      }
    }
  });

  it("tells a range from a list of indices", () => {
    const x = nn.zeros([4, 3]);
    expect(x.index([0, 1]).shape).to.deep.equal([1, 3]);
    expect(x.index([0, 2]).shape).to.deep.equal([2, 3]);
    expect(x.index(nn.tensor([0, 1], { dtype: "i32" })).shape).to.deep.equal([2, 3]);
  });

  it("shows code that runs", () => {
    const words = ["--conditions=@ddad/source", "--import", "tsx", join("apidocs", "fromPyTorch.ts")];
    const { stdout, stderr, status } = spawnSync(process.execPath, words, { cwd: root, encoding: "utf8" });
    expect(status, stderr).to.equal(0);
    expect(stdout).to.match(
      /^sum 54\nmean 2\.5 largest 4\ntokens \[ 8, 256, 16 \] weight \[ 3, 3, 3, 16 \]\n/,
    );
    expect(stdout).to.match(/\nin a checkpoint \[ 16, 3, 3, 3 \]\ngradient \[ 1, 2 \] loss 0\.0\d+\n/);
    expect(stdout).to.match(/\ncount Float32Array\(2\) \[ 1, 1 \] changed Float32Array\(3\) \[ 1, 2, 9 \]\n/);
  });
});

/** Runs an expression in which the scope's names are known. */
function runInScope(code: string, scope: Readonly<Record<string, unknown>>): Promise<unknown> {
  const run = new Function(...Object.keys(scope), `return (async () => (${code}))();`);
  return run(...Object.values(scope)) as Promise<unknown>;
}

/** Recorded tensors of a result: itself, its properties, or those of the first batch. */
async function tensorsIn(result: unknown): Promise<nn.AnyTensor[]> {
  if (result instanceof nn.DataLoader) for await (const batch of result) return tensorsIn(batch);
  return [result, ...Object.values(result ?? {})].filter((one) => one instanceof nn.Tensor);
}
