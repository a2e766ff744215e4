/** The model from which the API site is drawn: `npm run docs` succeeds, and signatures read as callers write them. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";

/** A part of the model as TypeDoc writes it; more of it is not needed here. */
interface Reflection {
  readonly name: string;
  readonly variant: string;
  readonly children?: readonly Reflection[];
  readonly signatures?: readonly Reflection[];
  readonly parameters?: readonly Reflection[];
  readonly type?: {
    readonly name?: string;
    readonly highlightedProperties?: Readonly<Record<string, unknown>>;
  };
  readonly comment?: { readonly blockTags?: readonly { tag: string; content: { text: string }[] }[] };
}

/** Everything in the model that is a reflection, wherever it lies. */
function* reflections(part: unknown): Generator<Reflection> {
  if (typeof part !== "object" || part === null) return;
  if ("variant" in part) yield part as Reflection;
  for (const value of Object.values(part)) yield* reflections(value);
}

describe("the API site", () => {
  let project: Reflection;
  before(() => {
    const folder = mkdtempSync(join(tmpdir(), "ddad-apidocs-"));
    try {
      const model = join(folder, "model.json");
      const words = [join("node_modules", "typedoc", "bin", "typedoc"), "--json", model];
      const { status, stdout, stderr } = spawnSync(process.execPath, words, {
        cwd: import.meta.dirname,
        encoding: "utf8",
      });
      // Warnings count as errors: links lead somewhere, every export is described and has a family.
      expect(status, stdout + stderr).to.equal(0);
      project = JSON.parse(readFileSync(model, "utf8")) as Reflection;
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("names every parameter", () => {
    const parameters = [...reflections(project)].filter(({ variant }) => variant === "param");
    expect(parameters.length).to.be.greaterThan(1000);
    expect(parameters.filter(({ name }) => name.startsWith("__"))).to.deep.equal([]);
  });

  for (const [name, options] of [
    ["Conv2d", "Conv2dLayerOptions"],
    ["AdamW", "AdamOptions"],
    ["cosineSchedule", "CosineSchedule"],
    ["klDiv", "KLDivOptions"],
  ] as const) {
    it(`lists the options of ${name} where they are passed`, () => {
      const owner = project.children!.flatMap(({ children }) => children!).find((one) => one.name === name)!;
      const maker = owner.children?.find((one) => one.name === "constructor") ?? owner;
      const parameter = maker.signatures![0]!.parameters!.find((one) => one.name === "options")!;
      expect(parameter.type!.name).to.equal(options);
      const expanded = parameter.comment!.blockTags!.filter(({ tag }) => tag === "@expandType");
      expect(expanded.map(({ content }) => content[0]!.text)).to.deep.equal([options]);
    });
  }

  it("lists a part of options, too", () => {
    const pool = project
      .children!.flatMap(({ children }) => children!)
      .find(({ name }) => name === "MaxPool2d")!;
    const maker = pool.children!.find(({ name }) => name === "constructor")!;
    const options = maker.signatures![0]!.parameters!.find(({ name }) => name === "options")!;
    const names = Object.keys(options.type!.highlightedProperties!);
    expect(names).to.include.members(["dilation", "stride", "padding", "ceilMode"]);
    expect(names).not.to.include("kernelSize");
  });
});
