/** One word for one thing: exported names, settings and help texts hold none of the words that the field has a better one for. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { Command } from "commander";
import { configSchema } from "../../ddad/src/config/schema.ts";
import { configKeys } from "../../ddad/src/config/settings.ts";
import { createProgram } from "../src/commands.ts";

const packages = join(import.meta.dirname, "..", "..");

/** What to say, and what not, as words of a text or parts of a name. */
const glossary: readonly { readonly say: string; readonly not: RegExp; readonly unless?: RegExp }[] = [
  { say: "image", not: /picture|photograph/i },
  { say: "learning rate", not: /\brate\b/i, unless: /learning ?rate|false-?alarm|sample ?rate/i },
  { say: "EMA", not: /average/i, unless: /averagePool|averagePrecision|running average/i },
  { say: "sampling steps", not: /\bcalls\b/i },
  { say: "validation, early stopping", not: /\blooks?\b/i },
  { say: "micro-batch", not: /at a time|in parts/i, unless: /one (image|category) at a time/i },
  { say: "gradient checkpointing", not: /computed again|compute .* again/i },
  { say: "f16", not: /halves|halved|asHalf/i },
  { say: "contiguous", not: /side ?by ?side/i },
  { say: "autotune, heuristic", not: /by measurement|unasked/i },
  { say: "fraction", not: /\bshares?\b|Share\b/ },
  { say: "standard deviation, std", not: /deviation/i, unless: /standard deviation/i },
  { say: "callback", not: /\btold\b/i },
  { say: "NaN", not: /numbers that are none/i },
  { say: "support", not: /vouch/i },
  { say: "baseline", not: /honest reference/i },
  {
    say: "release, swap, materialize, committed",
    not: /letGo|exchange|settle\b|\bheld\b/i,
    unless: /held[- ]?out/i,
  },
  { say: "resume", not: /\bgo(es)? on\b|\banew\b/i },
];

const namesOf = (name: string): string[] =>
  readFileSync(join(packages, name, "test", "exports.txt"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("*"))
    .map((line) => line.replace(/^type /, ""));

/** Descriptions of a command, its arguments and options, and of its commands. */
function helpOf(command: Command): string[] {
  return [
    command.description(),
    ...command.registeredArguments.map(({ description }) => description),
    ...command.options.map(({ description }) => description),
    ...command.commands.flatMap(helpOf),
  ];
}

/** What `--help` prints, of a command and those below it. */
function printedHelp(command: Command): string[] {
  let printed = "";
  command.configureOutput({ writeOut: (text) => (printed += text), getOutHelpWidth: () => 80 });
  command.outputHelp();
  return [printed, ...command.commands.flatMap(printedHelp)];
}

/** Texts with a word that the glossary has another for. */
const wrong = (texts: readonly string[]): string[] =>
  texts.flatMap((text) =>
    glossary
      .filter(({ not, unless }) => not.test(text) && !unless?.test(text))
      .map(({ say, not }) => `"${text}" has ${not.exec(text)![0]}: say ${say}`),
  );

describe("the words of the field", () => {
  for (const name of ["kernels-wgsl", "tensor", "nn", "ddad", "node"]) {
    it(`are those of the exports of @ddad/${name}`, () => {
      expect(wrong(namesOf(name))).to.deep.equal([]);
    });
  }

  it("are those of the settings and what is said of them", () => {
    const texts = configKeys(configSchema).flatMap(({ path, description }) => [path, description]);
    expect(wrong(texts)).to.deep.equal([]);
  });

  it("are those of the commands' help", () => {
    expect(wrong(helpOf(createProgram()))).to.deep.equal([]);
  });

  it("fit a terminal of 80 columns in help, which prints no empty defaults", () => {
    const printed = printedHelp(createProgram());
    expect(printed).to.have.length.above(15);
    expect(printed.flatMap((text) => text.split("\n")).filter(({ length }) => length > 80)).to.deep.equal([]);
    for (const text of printed) expect(text).to.not.contain("default: [");
    const predict = printed.find((text) => text.startsWith("Usage: ddad predict"))!;
    expect(predict)
      .to.match(/Options:\n +--checkpoint[\s\S]*--json/)
      .and.not.match(/--data|runs\/<data set>/);
    expect(printed.find((text) => text.startsWith("Usage: ddad evaluate"))).to.match(
      /--checkpoint .*runs\/<data set>/,
    );
  });
});
