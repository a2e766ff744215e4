/** What the documents show and point at must be so: quoted code is the code, links lead somewhere, commands are accepted. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { configKeys, configSchema, mergeConfig, parseConfig, parseSettings } from "@ddad/ddad";
import { loadConfig } from "@ddad/node";
import { expect } from "chai";
import { parseOptions } from "../bench/src/options.ts";
import { createProgram } from "../packages/cli/src/commands.ts";
import { publishedKeys } from "../packages/ddad/src/config/ddadYamlKeys.ts";

const root = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const documents = [
  ...["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/README.md", "apidocs/front.md"],
  ...readdirSync(join(root, "docs"))
    .filter((file) => file.endsWith(".md"))
    .map((file) => join("docs", file)),
  ...readdirSync(join(root, "packages")).map((name) => join("packages", name, "README.md")),
];

/** A fence whose info string is a language and a file quotes that file: ```ts packages/tensor/src/ops/mean.ts */
const quotation = /^```\w+ (\S+)\n([\s\S]*?)^```$/gm;
const link = /\[[^\]]*\]\(([^)\s]+)\)/g;
/** A path of the repository in backquotes. */
const mention = /`((?:packages|examples|bench|scripts|docs|apidocs)\/[\w./-]+\.\w+)`/g;
const fence = /^```(.*)\n([\s\S]*?)^```$/gm;
/** A setting in backquotes, with a value or without one; a model's file is none. */
const setting = new RegExp(
  `\`((?:${Object.keys(configSchema.shape).join("|")})\\.(?!safetensors)\\w+)(?:=[^\`]*)?\``,
  "g",
);
/** Names in backquotes, and the file that they are said to be in. */
const placed =
  /((?:`\w+`(?:, | in | \([^)]*\) in | \([^)]*\) and | and )*)+)`((?:packages|bench)\/[\w./-]+\.ts)`/g;

/** Words of the commands in a text: those of a shell's fences, a line each, and those of the program in running text. */
function commandsOf(text: string): { readonly words: string[]; readonly whole: boolean }[] {
  const fenced = [...text.matchAll(fence)]
    .filter(([, kind]) => kind === "sh")
    .flatMap(([, , lines = ""]) => lines.trim().split("\n"))
    .map((line) => ({ line: line.replace(/ +#.*/, ""), whole: true }));
  const inline = [
    ...text.replace(fence, "").matchAll(/`(?:npx )?(ddad [a-z][^`]*|npm (?:run |test)[^`]*)`/g),
  ].map(([, line = ""]) => ({ line, whole: false }));
  return [...fenced, ...inline].map(({ line, whole }) => ({ words: line.split(" "), whole }));
}

/** Has the words of a `ddad` command read as the program reads them, without doing what they ask for. */
function readCommand(words: readonly string[], whole: boolean): void {
  const program = createProgram();
  for (const command of program.commands.flatMap((command) => [command, ...command.commands])) {
    command.configureOutput({ writeErr: () => {} });
    if (command.commands.length > 0) continue;
    command.action(() => {
      const { set = [], preset } = command.opts<{ set?: string[]; preset?: string }>();
      const named = whole && preset ? [`preset=${preset}`] : [];
      parseConfig(mergeConfig({ data: { root: "." } }, parseSettings([...set, ...named], configSchema)));
    });
  }
  try {
    program.parse(words, { from: "user" });
  } catch (error) {
    // In running text a command may be named without what it works on.
    const short = /^commander\.missing(Argument|MandatoryOptionValue)$/;
    if (whole || !short.test((error as { code?: string }).code ?? "")) throw error;
  }
}

function checkCommand(words: readonly string[], whole: boolean): void {
  const [program, ...rest] = words[0] === "npx" ? words.slice(1) : words;
  if (program === "ddad") {
    readCommand(rest, whole);
    return;
  }
  if (program === "npm" && rest[0] === "install") {
    expect(rest[1]).to.match(/^(@ddad\/[\w-]+|webgpu)$/);
    return;
  }
  if (program === "npm") {
    const [script = "", ...more] = rest[0] === "run" ? rest.slice(1) : rest;
    const { scripts } = JSON.parse(read("package.json")) as { scripts: object };
    expect(scripts).to.include.keys(script);
    if (script === "bench" && more.length > 0) parseOptions(more.slice(1));
    return;
  }
  if (program?.endsWith(".sh")) {
    expect(existsSync(join(root, program)), program).to.equal(true);
    return;
  }
  const [, options = ""] = words.join(" ").match(/^(?:\w+=\S+ )*(?:node|python3) (.*)$/) ?? [];
  expect(options, "what is no command of this project").not.to.equal("");
  for (const path of options.match(/(?:packages|examples|bench|scripts|node_modules)\/[\w./-]+\.\w+/g) ??
    []) {
    const source = path.replace(/\/dist\/(.*)\.js$/, "/src/$1.ts");
    expect(existsSync(join(root, source)), path).to.equal(true);
  }
}

for (const document of documents) {
  describe(document, () => {
    const text = read(document);

    for (const [, file = "", code = ""] of text.matchAll(quotation)) {
      it(`quotes ${file} as it is: ${code.trim().split("\n")[0]}`, () => {
        expect(read(file)).to.contain(code);
      });
    }

    for (const { words, whole } of commandsOf(text)) {
      it(`tells to type ${words.join(" ")}, which is understood`, () => checkCommand(words, whole));
    }

    for (const [, , settings = ""] of [...text.matchAll(fence)].filter(([, kind]) => kind === "yaml")) {
      it(`shows settings that are accepted: ${settings.split("\n")[0]}`, () => {
        const folder = mkdtempSync(join(tmpdir(), "ddad-docs-"));
        try {
          writeFileSync(join(folder, "config.yaml"), settings);
          loadConfig(join(folder, "config.yaml"), ["data.root=."]);
        } finally {
          rmSync(folder, { recursive: true });
        }
      });
    }

    for (const [, names = "", path = ""] of text.matchAll(placed)) {
      it(`finds ${names.trim()} ${path}`, () => {
        for (const [, name = ""] of names.matchAll(/`(\w+)`/g))
          expect(read(path)).to.match(
            new RegExp(`^(?:export )?(?:async )?(?:const|function\\*?|class|type) ${name}\\b`, "m"),
          );
      });
    }

    it("shows no code but that of files, and names settings that there are", () => {
      const known = [...configKeys(configSchema).map(({ path }) => path), ...Object.keys(publishedKeys)];
      for (const [, path = ""] of text.matchAll(setting)) expect(known).to.include(path);
      for (const [, kind = ""] of text.matchAll(fence)) expect(kind).to.match(/^(?:sh|yaml|python||ts \S+)$/);
    });

    it("points at files that exist", () => {
      const prose = text.replace(/^```[\s\S]*?^```$/gm, "");
      const linked = [...prose.matchAll(link)]
        .map(([, target = ""]) => target)
        .filter((target) => !/^(https?:|#)/.test(target))
        .map((target) => relative(root, join(root, dirname(document), target.replace(/#.*/, ""))));
      const named = [...prose.matchAll(mention)].map(([, path = ""]) => path);
      for (const path of [...linked, ...named]) expect(existsSync(join(root, path)), path).to.equal(true);
    });
  });
}

/** Lines of the examples that are no screen of 60 lines. */
const longest: Readonly<Record<string, number>> = {
  "mnist.ts": 40,
  "characterGPT.ts": 80,
  "diffuseDigits.ts": 80,
  "transferLearning.ts": 80,
};

describe("examples", () => {
  for (const file of readdirSync(import.meta.dirname).filter((name) =>
    /^(?!.*\.test\.)\w+\.ts$/.test(name),
  )) {
    const limit = longest[file] ?? 60;
    it(`${file} has at most ${limit} lines`, () => {
      expect(read(join("examples", file)).split("\n").length - 1).to.be.at.most(limit);
    });
  }
});
