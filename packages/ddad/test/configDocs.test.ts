/**
 * docs/settings.md against the code: its tables say what the schema, the cost and the translation say. With UPDATE_SETTINGS=1 the table of
 * all settings is written.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { parse } from "yaml";
import * as z from "zod";
import { costOf } from "../src/config/cost.ts";
import { translateDdadYaml } from "../src/config/ddadYaml.ts";
import { resolveConfig } from "../src/config/parse.ts";
import { presets } from "../src/config/presets.ts";
import { type Config, configSchema, type Protocol } from "../src/config/schema.ts";
import { type ConfigRecord, configKeys } from "../src/config/settings.ts";

type BaseSchema = z.core.JSONSchema.BaseSchema;

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");
const path = fileURLToPath(new URL("../../../docs/settings.md", import.meta.url));
const document = readFileSync(path, "utf8");

/** The rows of the first table below a heading, without its head. */
function tableBelow(heading: string): string[] {
  const text = document.slice(document.indexOf(`\n## ${heading}\n`));
  const lines =
    text
      .match(/(?:^\|.*\|$\n?)+/m)?.[0]
      .trim()
      .split("\n") ?? [];
  return lines.slice(2);
}

const cellsOf = (row: string): string[] =>
  row
    .slice(1, -1)
    .split("|")
    .map((cell) => cell.trim());

const at = (record: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((inner, key) => (inner as ConfigRecord | undefined)?.[key], record);

/** What a setting may be, in words. */
function valuesOf(schema: BaseSchema): string {
  const { enum: names, type, minimum, exclusiveMinimum, maximum, exclusiveMaximum, items } = schema;
  if (names) return names.map((name) => `\`${name}\``).join(", ");
  if (type === "boolean") return "`true`, `false`";
  if (type === "string") return "text";
  if (type === "array") return `list, each ${valuesOf(items as BaseSchema)}`;
  const from = minimum === undefined ? `above ${exclusiveMinimum}` : `from ${minimum}`;
  if (type === "integer") {
    const bounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
    return `whole, ${from}${bounded ? ` to ${maximum}` : ""}`;
  }
  if (maximum === undefined && exclusiveMaximum === undefined) return from;
  return maximum === undefined ? `${from}, below ${exclusiveMaximum}` : `${from}, up to ${maximum}`;
}

const configs = (["strict", "paper"] satisfies Protocol[]).map((protocol) =>
  resolveConfig({ protocol, data: { root: "parts" } }),
);

const defaultOf = (config: Config, path: string): string => {
  const value = at(config, path);
  return value === undefined || path === "data.root" ? "–" : String(value);
};

describe("docs/settings.md", () => {
  it("lists every setting: what it means, what it may be, and its defaults", () => {
    const schema = z.toJSONSchema(configSchema);
    const expected = configKeys(configSchema).map(({ path, description, binds = [] }) => {
      const values = valuesOf(at(schema, `properties.${path.replaceAll(".", ".properties.")}`) as BaseSchema);
      const defaults = configs.map((config) => defaultOf(config, path));
      return `| ${[`\`${path}\``, description, values, ...defaults, binds.join(", ")].join(" | ")} |`;
    });
    expect(expected).to.have.length.greaterThan(60);
    if (process.env["UPDATE_SETTINGS"]) {
      const known = tableBelow("Every setting").join("\n");
      writeFileSync(
        path,
        document.replace(known, () => expected.join("\n")),
      );
      return;
    }
    expect(tableBelow("Every setting")).to.deep.equal(expected);
  });

  it("names every preset, or the data set whose categories are presets", () => {
    const named = cellsOf(tableBelow("Presets").join(" ")).join(" ");
    for (const { name } of presets) expect(named).to.contain(`\`${name.replace(/\/.*/, "/…")}\``);
  });

  it("gives what a run costs", () => {
    const rows = tableBelow("What a run costs").map(cellsOf);
    expect(rows).to.have.length(6);
    for (const [name = "", ...cells] of rows) {
      const [, preset = "", protocol] = name.match(/^`(.*)`, (strict|paper)$/) ?? [];
      const data = { root: "parts" };
      const cost = costOf(resolveConfig({ preset, protocol: protocol as Protocol, data }));
      const exact = [
        [cost.parameters / 1e6, "million"],
        [cost.gflopPerCall, "GFLOP"],
        [cost.gflopPerImage, "GFLOP"],
        [cost.gflopPerStep / 1e3, "TFLOP"],
        [cost.gflopOfTraining / 1e6, "PFLOP"],
      ] as const;
      for (const [i, [value, unit]] of exact.entries()) {
        const [number = "", written] = cells[i]!.split(" ");
        expect(written, name).to.equal(unit);
        expect(value.toFixed(number.split(".")[1]?.length ?? 0), `${name}, ${unit}`).to.equal(number);
      }
    }
  });

  it("says what the keys of the published config.yaml become", () => {
    const { keys } = translateDdadYaml(
      parse(read("../../node/test/fixtures/ddadConfig2.yaml")) as ConfigRecord,
    );
    const expected = keys
      .filter(({ status }) => status === "mapped")
      .map(({ key, settings }) => [key, Object.keys(settings)]);
    const quoted = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
    const rows = tableBelow("config.yaml of the published code").map(cellsOf);
    expect(rows.map(([key = "", targets = ""]) => [...quoted(key), quoted(targets)])).to.deep.equal(expected);
  });
});
