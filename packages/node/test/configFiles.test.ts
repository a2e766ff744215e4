/** Settings from a command line, and configuration files. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { resolveConfig } from "../../ddad/src/config/parse.ts";
import { configSchema } from "../../ddad/src/config/schema.ts";
import { configKeys, parseSettings } from "../../ddad/src/config/settings.ts";
import { ConfigError } from "../../ddad/src/errors.ts";
import { formatConfig, loadConfig, readConfigFile } from "../src/configFile.ts";

const data = { root: "parts" };

describe("settings", () => {
  const parse = (...settings: string[]): object => parseSettings(settings, configSchema);

  it("are read as JSON, otherwise as text", () => {
    expect(
      parse("training.steps=1e3", "model.channelMultipliers=[1,0.5]", "sampling.startNoise=true"),
    ).to.deep.equal({
      training: { steps: 1000 },
      model: { channelMultipliers: [1, 0.5] },
      sampling: { startNoise: true },
    });
    expect(parse("protocol=paper", "training.steps=lots")).to.deep.equal({
      protocol: "paper",
      training: { steps: "lots" },
    });
  });

  it("stay text where text is wanted", () => {
    expect(parse("data.root=10", "data.category=01", "data.test=a=b")).to.deep.equal({
      data: { root: "10", category: "01", test: "a=b" },
    });
  });

  it("add up, the later one winning", () => {
    expect(parse("training.steps=1", "training.seed=2", "training.steps=3")).to.deep.equal({
      training: { steps: 3, seed: 2 },
    });
  });

  it("need a key and an equals sign", () => {
    expect(() => parse("training.steps", "=3", "training..steps=3", "protocol=paper")).to.throw(
      ConfigError,
      /^"training.steps" is no setting; write it as section.key=value.\n"=3" .*\n"training..steps=3" .*$/,
    );
  });

  it("have few levels, and so have their values", () => {
    for (const setting of [
      `${Array(5000).fill("a").join(".")}=1`,
      `model.channelMultipliers=${"[".repeat(5000)}${"]".repeat(5000)}`,
    ]) {
      expect(() => parse(setting)).to.throw(
        ConfigError,
        /^".{100}…" is no setting; write it as section.key=value.$/,
      );
    }
    expect(parse(`data.root=${"(".repeat(20)}[[[[[[[[[[x`)).to.have.property("data");
  });

  it("are all described", () => {
    const keys = configKeys(configSchema);
    expect(keys.length).to.be.greaterThan(30);
    for (const { path, description } of keys) expect(description, path).to.have.length.greaterThan(8);
  });
});

describe("hostile configuration files", () => {
  const bomb = Array.from({ length: 9 }, (_, i) =>
    i === 0
      ? "a0: &a0 [x, x]"
      : `a${i}: &a${i} [${Array(9)
          .fill(`*a${i - 1}`)
          .join(", ")}]`,
  );
  const files: Readonly<Record<string, readonly [text: string, sentence: RegExp]>> = {
    "bomb.yaml": [bomb.join("\n"), /uses aliases \(\*name\) to repeat values more than 100 times/],
    "cycle.yaml": ["data: &d\n  root: *d\n", /holds an alias \(\*name\) to something that contains it/],
    "list.yaml": ["data: &d [1, *d]\n", /holds an alias \(\*name\) to something that contains it/],
    "unknown.yaml": ["data: *d\n", /uses an alias \(\*name\) without its anchor/],
    "deep.yaml": [`a: ${"[".repeat(20_000)}${"]".repeat(20_000)}`, /is nested more than 32 levels deep/],
    "forty.yaml": [`a: ${"[".repeat(40)}${"]".repeat(40)}`, /is nested more than 32 levels deep/],
    "deep.json": [`${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`, /is nested more than 32 levels deep/],
    "wide.yaml": [
      Array.from({ length: 20_000 }, (_, i) => `key${i}: 1`).join("\n"),
      /has \d+ kB, but settings files have at most 64 kB/,
    ],
  };
  for (const [name, [text, sentence]] of Object.entries(files)) {
    it(`are refused by name: ${name}`, () => {
      const folder = mkdtempSync(join(tmpdir(), "ddad-hostile-"));
      try {
        const path = join(folder, name);
        writeFileSync(path, text);
        expect(() => readConfigFile(path))
          .to.throw(ConfigError, sentence)
          .with.property("message")
          .that.satisfies((message: string) => message.startsWith(path));
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }

  it("may repeat parts by aliases", () => {
    const folder = mkdtempSync(join(tmpdir(), "ddad-alias-"));
    try {
      const path = join(folder, "a.yaml");
      writeFileSync(path, "a: &a {x: 1}\nb: *a\nc: *a\n");
      expect(readConfigFile(path)).to.deep.equal({ a: { x: 1 }, b: { x: 1 }, c: { x: 1 } });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("configuration files", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ddad-config-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it("may be YAML or JSON, and the command line overrides it", () => {
    const yaml = write(
      "a.yaml",
      "protocol: paper\ndata:\n  root: parts # the folder\ntraining: { steps: 7 }\n",
    );
    expect(loadConfig(yaml, ["training.batchSize=2"]).training).to.deep.include({
      steps: 7,
      batchSize: 2,
      optimizer: "adam",
    });
    const json = write("a.json", '{"data": {"root": "parts"}}');
    expect(loadConfig(json, ["protocol=paper"]).sampling.eta).to.equal(1);
    expect(loadConfig(undefined, ["data.root=parts"])).to.deep.equal(resolveConfig({ data }));
  });

  it("come back as they were written", () => {
    const config = resolveConfig({ data: { root: "parts", category: "01" }, protocol: "paper" });
    expect(loadConfig(write("b.yml", formatConfig(config)))).to.deep.equal(config);
  });

  it("leaves out what follows from other settings, so that a shortened copy is right", () => {
    const config = resolveConfig({ data: { root: "parts", imageSize: 64 }, training: { steps: 200 } });
    const text = formatConfig(config);
    expect(text).to.match(
      /^# By default, from the settings above: .*training\.warmup 10, detection\.blurSigma 1$/m,
    );
    expect(text).to.not.match(/^ +warmup:/m);
    const shortened = loadConfig(write("short.yaml", text.replace("steps: 200", "steps: 2")));
    expect(shortened.training).to.include({ steps: 2, warmup: 0 });
    const chosen = resolveConfig({ data: { root: "parts" }, training: { steps: 200, warmup: 3 } });
    expect(formatConfig(chosen)).to.match(/^ +warmup: 3$/m);
    for (const preset of ["quick", "ddad-s", "mvtec/screw", "mvtec/screw+quick"]) {
      for (const protocol of ["strict", "paper"] as const) {
        const whole = resolveConfig({ preset, protocol, data: { root: "parts" } });
        expect(loadConfig(write("preset.yaml", formatConfig(whole))), preset).to.deep.equal(whole);
      }
    }
  });

  it("are refused in a sentence when they cannot be read", () => {
    const refused = (path: string, sentence: RegExp): void =>
      void expect(() => readConfigFile(path)).to.throw(ConfigError, sentence);
    refused(join(folder, "none.yaml"), /none\.yaml does not exist\.$/);
    refused(folder, /must be a \.yaml, \.yml or \.json file\.$/);
    refused(write("c.yaml", "a: [1, 2\nb: 3\n"), /c\.yaml is not valid YAML, line \d: .*\.$/m);
    refused(write("d.yaml", "a: 1\na: 2\n"), /d\.yaml is not valid YAML, line 2: Map keys must be unique\.$/);
    refused(write("e.json", "{"), /e\.json is not valid JSON: .*\.$/);
    refused(write("f.yaml", "- 1\n"), /f\.yaml must hold named settings/);
    refused(write("g.yaml", ""), /g\.yaml must hold named settings/);
  });
});
