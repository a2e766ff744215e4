/** config.yaml of the published code: both versions accepted as they are, every key accounted for. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { parse } from "yaml";
import { ddad } from "../../cli/test/commandLine.ts";
import { describeTranslation, isDdadYaml, translateDdadYaml } from "../../ddad/src/config/ddadYaml.ts";
import { parseConfig, resolveConfig } from "../../ddad/src/config/parse.ts";
import { type ConfigRecord, mergeConfig } from "../../ddad/src/config/settings.ts";
import { ConfigError } from "../../ddad/src/errors.ts";
import { createImage } from "../../ddad/src/images/image.ts";
import { loadConfig, openConfigFile, readConfigFile } from "../src/configFile.ts";
import { writeImage } from "../src/images/png.ts";

const path = (version: 1 | 2): string =>
  fileURLToPath(new URL(`fixtures/ddadConfig${version}.yaml`, import.meta.url));
const content = (version: 1 | 2): ConfigRecord => parse(readFileSync(path(version), "utf8")) as ConfigRecord;

/** What became of the second version's file with some of its values changed. */
const translated = (changes: ConfigRecord, images?: number) =>
  translateDdadYaml(mergeConfig(content(2), changes), { countImages: () => images });
const keyOf = (changes: ConfigRecord, key: string, images?: number) =>
  translated(changes, images).keys.find((found) => found.key === key)!;

describe("config.yaml of the published code", () => {
  it("becomes the paper's protocol for its category", () => {
    const config = loadConfig(path(2));
    const published = resolveConfig({
      protocol: "paper",
      preset: "mvtec/screw",
      data: { root: "datasets/MVTec", category: "screw" },
    });
    expect({ preset: "mvtec/screw", ...config }).to.deep.equal(published);
  });

  it("of the first version becomes what that version did", () => {
    const config = loadConfig(path(1));
    expect(config.protocol).to.equal("paper");
    expect(config.training).to.include({ steps: 28_000, batchSize: 32 });
    expect(config.sampling).to.include({ start: 200, stride: 20, guidance: 4 });
    // Its adaptation took w rather than w_DA, and knew no distillation.
    expect(config.adaptation).to.include({
      batchSize: 32,
      guidance: 4,
      distillation: 0,
      weightDecay: 0,
      steps: 84,
    });
    expect(config.detection).to.include({ pixelWeight: 7, batchSize: 32 });
  });

  it("has no key that is left out", () => {
    for (const version of [1, 2] as const) {
      const { keys, problems } = translateDdadYaml(content(version));
      const sections = Object.entries(content(version)) as [string, ConfigRecord][];
      expect(keys.map(({ key }) => key)).to.deep.equal(
        sections.flatMap(([section, values]) => Object.keys(values).map((key) => `${section}.${key}`)),
      );
      expect(keys.filter(({ status }) => status === "unknown" || status === "unsupported")).to.deep.equal([]);
      expect(problems).to.deep.equal([]);
      for (const { key, status, settings, remark } of keys) {
        expect(Object.keys(settings).length > 0, key).to.equal(status === "mapped");
        if (status === "unneeded") expect(remark, key).to.have.length.greaterThan(8);
      }
    }
  });

  it("says which keys the published code does not read itself", () => {
    const dead = (version: 1 | 2): string[] =>
      translateDdadYaml(content(version))
        .keys.filter(({ status }) => status === "dead")
        .map(({ key }) => key.slice("model.".length));
    expect(dead(2)).to.deep.equal([
      "checkpoint_name",
      "exp_name",
      "test_trajectoy_steps_DA",
      "skip_DA",
      "seed",
    ]);
    expect(dead(1)).to.deep.equal(["checkpoint_name", "exp_name", "w_DA", "seed"]);
  });

  it("is distinguished from our own by its form", () => {
    expect(isDdadYaml(content(1))).to.equal(true);
    expect(isDdadYaml(JSON.parse(JSON.stringify(resolveConfig({ data: { root: "a" } }))))).to.equal(false);
    expect(isDdadYaml({ data: { data_dir: "a" }, model: { variant: "ddad" } })).to.equal(false);
    expect(isDdadYaml({ data: { data_dir: "a" }, model: 3 })).to.equal(false);
  });

  it("counts epochs in the images that are there, or else as published", () => {
    expect(keyOf({}, "model.load_chp", 100).settings).to.deep.equal({ "training.steps": 6000 });
    expect(keyOf({}, "model.DA_chp", 100).settings).to.deep.equal({ "adaptation.steps": 24 });
    expect(keyOf({}, "model.load_chp")).to.deep.include({
      settings: { "training.steps": 20_000 },
      remark: "2000 × ⌊320 images / 32⌋, as many as the published data set has",
    });
    const unknown = keyOf({ data: { category: "gearwheel" } }, "model.load_chp");
    expect(unknown).to.deep.include({ status: "unsupported", settings: {} });
    expect(unknown.remark).to.match(/hangs on the number of training images.*set training\.steps/);
    const trained = keyOf({ data: { batch_size: "many" } }, "model.load_chp");
    expect(trained.remark).to.equal("without data.batch_size nobody knows how many steps that is");
  });

  it("maps what a user changes", () => {
    const changes = {
      data: { category: null },
      model: { DDADS: true, trajectory_steps: 500, save_model: false },
    };
    const { settings, keys } = translated(changes, 64);
    expect(settings).to.deep.include({ model: { variant: "ddad-s" } });
    expect(settings["data"]).to.deep.equal({ root: "datasets/MVTec", imageSize: 256 });
    expect(settings["diffusion"]).to.include({ steps: 500 });
    expect(settings["training"]).to.include({ maxTimestep: 499, steps: 4000 });
    expect(keys.find(({ key }) => key === "model.save_model")!.status).to.equal("unsupported");
    expect(keyOf({ model: { backbone: "resnet50" } }, "model.backbone").status).to.equal("unneeded");
  });

  it("reports keys that it does not know, with a guess", () => {
    expect(keyOf({ model: { test_trajectory_steps: 250 } }, "model.test_trajectory_steps")).to.deep.include({
      status: "unknown",
      remark: "did you mean model.test_trajectoy_steps?",
    });
    expect(keyOf({ wandb: { project: "x" } }, "wandb.project")).to.deep.include({
      status: "unknown",
      remark: undefined,
    });
  });

  it("is described in a line a key", () => {
    const lines = describeTranslation("config.yaml", translated({ model: { seed: 7, huh: 1 } }));
    expect(lines).to.have.length(1 + translated({ model: { huh: 1 } }).keys.length);
    expect(lines[0]).to.match(
      /^config\.yaml is a configuration of the published DDAD code \(second version\)/,
    );
    expect(lines).to.include.members([
      "  data.batch_size 32 → training.batchSize",
      "  model.DDADS false → model.variant ddad",
      "  model.trajectory_steps 1000 → diffusion.steps, training.maxTimestep 999",
      "  model.exp_name default: not read by the published code either",
      "  model.huh 1: no key of the published code, ignored",
    ]);
    expect(describeTranslation("a", translateDdadYaml(content(1))).at(-1)).to.match(
      /the first version took D_p/,
    );
  });
});

describe("config.yaml of the published code on disk", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ddad-yaml-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const write = (changes: ConfigRecord): string => {
    const file = join(folder, "config.json");
    writeFileSync(file, JSON.stringify(mergeConfig(content(2), changes)));
    return file;
  };
  const images = (count: number): string => {
    const good = join(folder, "screw", "train", "good");
    mkdirSync(good, { recursive: true });
    for (let i = 0; i < count; i++) writeImage(join(good, `${i}.png`), createImage(4, 4, 3, [9, 9, 9]));
    return folder;
  };

  it("has its images counted where the command line puts them", () => {
    images(5);
    const file = write({ data: { data_dir: folder, batch_size: 2, DA_batch_size: 4 } });
    expect(loadConfig(file).training.steps).to.equal(4000);
    expect(loadConfig(path(2), [`data.root=${folder}`, "training.steps=9"]).training.steps).to.equal(9);
    expect(openConfigFile(path(2), { data: { root: folder } }).settings["training"]).to.include({ steps: 0 });
  });

  it("stands below what the command line says", () => {
    const config = loadConfig(path(2), ["protocol=strict", "sampling.guidance=1", "training.steps=10"]);
    expect(config).to.include({ protocol: "strict" });
    expect(config.sampling.guidance).to.equal(1);
    expect(config.data.heldOut).to.equal(0.1);
  });

  it("is refused with a sentence for every wrong value", () => {
    const refused = (changes: ConfigRecord, sentence: RegExp): void =>
      void expect(() => parseConfig(readConfigFile(write(changes)))).to.throw(ConfigError, sentence);
    refused(
      { data: { input_channel: 4 }, model: { DDADS: "False", load_chp: 0.5, DA_chp: -1 } },
      /^data\.input_channel must be 3, but is 4\.\nmodel\.DDADS must be True or False, but is "False"\.\nmodel\.load_chp must be a whole number of at least 1, but is 0\.5\.\nmodel\.DA_chp must be a whole number of at least 0, but is -1\.$/,
    );
    refused(
      { data: { batch_size: 0 }, model: { feature_extractor: "vgg16", eta: 2 } },
      /^training\.batchSize must be at least 1, but is 0\.\nsampling\.eta must be at most 1, but is 2\.\nfeatures\.network must be one of none, .*, but is "vgg16"\.$/,
    );
  });

  it("is reported on once by a command, before what is wrong", async () => {
    const file = write({ data: { image_size: 100, data_dir: images(2) }, model: { wether: 1 } });
    const { code, errors } = await ddad("train", "--config", file);
    expect(code).to.equal(2);
    expect(errors.match(/is a configuration of the published DDAD code/g)).to.have.length(1);
    expect(errors).to.match(/model\.wether 1: no key of the published code, ignored/);
    expect(errors).to.match(/error: data\.imageSize 100 /);
  });
});

describe("ddad presets", () => {
  it("lists every preset for people and for programs", async () => {
    const { code, output } = await ddad("presets");
    expect(code).to.equal(0);
    expect(output).to.match(/^quick +\d.* +3000 +0 \(4\) +1 +43\.7$/m);
    expect(output).to.match(/^mvtec\/screw +\d.* +6020 +0 \(2\) +1 +570$/m);
    expect(output).to.match(/^laptop: .*: 1\.0 PFLOP, an hour at 0\.3 TFLOP\/s$/m);
    for (const line of output.split("\n")) expect(line.length, line).to.be.at.most(100);
    const { presets } = JSON.parse((await ddad("presets", "--json")).output) as {
      presets: { name: string }[];
    };
    expect(presets).to.have.length(31);
    expect(presets[0]).to.have.keys("name", "description", "protocols");
  });

  it("are chosen by --preset, and refused before anything is read", async () => {
    const { code, errors } = await ddad("train", "--data", "nowhere", "--preset", "mvtec/skrew");
    expect(code).to.equal(2);
    expect(errors).to.match(/error: preset "mvtec\/skrew" does not exist; did you mean mvtec\/screw\?/);
  });
});
