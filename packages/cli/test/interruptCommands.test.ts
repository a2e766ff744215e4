/** Ctrl-C in each command that calculates for long: it stops soon, says what is saved and what to type, and leaves files as they were. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { evaluate, resnet18, writeSafetensors } from "@ddad/nn";
import { expect } from "chai";
import { madeUpEvaluation, writeEvaluation } from "../../ddad/test/evaluations.ts";
import { writeProcedural } from "../../node/src/datasets/writeProcedural.ts";
import { decodePng } from "../../node/src/images/png.ts";
import { ddad, smallSettings } from "./commandLine.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

describe("Ctrl-C stops", function () {
  this.timeout(180_000);
  let folder: string;
  let run: string;
  let model: Buffer;
  let features: string[];

  before(async function () {
    // Windows has no signal that a process could catch here.
    if (process.platform === "win32") this.skip();
    folder = mkdtempSync(join(tmpdir(), "ddad-stopped-"));
    const root = writeProcedural(folder, {
      ...{ category: "tile", size: 32, train: 12, testGood: 2, testPerDefect: 1 },
    });
    run = join(folder, "run");
    const trained = await ddad("train", "--data", root, ...smallSettings, "--out", run);
    expect(trained.code, trained.errors).to.equal(0);
    model = readFileSync(join(run, "model.safetensors"));
    using extractor = resnet18({ lastLayer: "layer3", seed: 4 });
    await evaluate(...extractor.namedState().values());
    const weights = join(folder, "resnet18.safetensors");
    writeFileSync(weights, writeSafetensors(await extractor.stateDict()));
    features = set("features.network=resnet18", `features.weights=${weights}`);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const set = (...settings: string[]): string[] => settings.flatMap((setting) => ["--set", setting]);
  /** Settings of a sampling that no machine is done with before it is stopped. */
  const long = set("sampling.start=300", "sampling.stride=1");

  /** Starts a command, sends SIGINT once it has said something, and gives what it printed until its end, and how long that took. */
  async function stopped(
    once: RegExp,
    ...args: string[]
  ): Promise<{ said: string; output: string; seconds: number }> {
    const words = ["--conditions=@ddad/source", "--import", "tsx", main, ...args];
    const child = spawn(process.execPath, words, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, DDAD_TUNING: "off" },
    });
    let [said, output] = ["", ""];
    let asked = 0;
    child.stdout.on("data", (text) => {
      output += String(text);
    });
    child.stderr.on("data", (text) => {
      const before = once.test(said);
      said += String(text);
      if (before || !once.test(said)) return;
      asked = performance.now();
      child.kill("SIGINT");
    });
    const ended = await new Promise<unknown[]>((settle) => child.on("close", (...how) => settle(how)));
    // A shell shows both as 130: the process ends itself by the signal where the GPU, or a compiler, would keep it.
    expect([130, "SIGINT"], said).to.include(ended[0] ?? ended[1]);
    expect(said).to.match(/^Stopping and .+\. Press Ctrl-C again to stop at once\.$/m);
    return { said, output, seconds: (performance.now() - asked) / 1000 };
  }

  const unchanged = (): void => {
    expect(readFileSync(join(run, "model.safetensors")).equals(model)).to.equal(true);
  };

  it("calibrate, and the model keeps its calibration", async () => {
    const { said, output } = await stopped(
      /^good images|^held-out images/m,
      "calibrate",
      "--checkpoint",
      run,
      ...long,
    );
    expect(output).to.equal("");
    expect(said).to.match(
      /^Stopped\. The model is unchanged\. Run this command to calibrate it: ddad calibrate --checkpoint /m,
    );
    unchanged();
    expect(existsSync(join(run, ".lock"))).to.equal(false);
  });

  it("evaluate, and there are no results", async () => {
    const out = join(folder, "evaluation");
    const { said, output } = await stopped(
      /^test images/m,
      "evaluate",
      "--checkpoint",
      run,
      "--out",
      out,
      ...long,
    );
    expect(output).to.equal("");
    expect(said).to.match(
      /^Stopped after 0 test images\. Nothing is saved\. Run this command to evaluate again: ddad evaluate --checkpoint /m,
    );
    expect(existsSync(out)).to.equal(false);
    unchanged();
  });

  const adaptation = (): string[] => [
    ...["adapt", "--checkpoint", run, ...features],
    ...set("adaptation.steps=100000", "adaptation.batchSize=8", "adaptation.checkEvery=100000"),
  ];

  it("adapt before the first step, and nothing is kept", async () => {
    const { said } = await stopped(/^adapting resnet18/m, ...adaptation(), ...long);
    expect(said).to.match(
      /^Stopped before the first step was done\. Nothing is saved\. Run this command to start again: ddad adapt --checkpoint /m,
    );
    unchanged();
    expect(existsSync(join(run, "adaptation.safetensors"))).to.equal(false);
  });

  it("adapt after its first step, and saves it", async () => {
    const { output } = await stopped(/^step 1\/100000/m, ...adaptation());
    expect(output).to.match(
      /^Stopped\. \d+ of 100000 steps are saved\. Run this command to resume: ddad adapt .+ --resume$/m,
    );
    expect(existsSync(join(run, "adaptation.safetensors"))).to.equal(true);
  });

  for (const [command, words] of [
    [
      "train",
      /^Stopped before the first step was done\. Nothing is saved\. Run this command to start again: /m,
    ],
    ["run", /^Stopped\. Completed work is saved in .+\. Run this command to resume: ddad run --data /m],
  ] as const) {
    it(`${command} --tune within seconds, while it measures kernels`, async () => {
      const out = join(folder, `tuned-${command}`);
      const args = ["--data", join(folder, "tile"), ...smallSettings, "--out", out, "--tune"];
      const { said, seconds } = await stopped(/^training on \d+ images/m, command, ...args);
      // Two, on a machine that has nothing else to do.
      expect(seconds).to.be.below(15);
      expect(said).to.match(words);
      expect(existsSync(join(out, "checkpoint.safetensors"))).to.equal(false);
    });
  }

  it("demo, and a folder called data beside its own stays", async () => {
    const out = join(folder, "demo");
    mkdirSync(join(out, "data", "tile"), { recursive: true });
    writeFileSync(join(out, "data", "tile", "mine.png"), "mine");
    const { said, output } = await stopped(/^training on \d+ images/m, "demo", "--out", out);
    expect(output).to.equal("");
    expect(said).to.match(/^Stopped\. Run this command to start again: ddad demo --out /m);
    expect(readFileSync(join(out, "data", "tile", "mine.png"), "utf8")).to.equal("mine");
    // Shown as they are inspected, and inspected as they were drawn.
    const { width } = decodePng(
      readFileSync(join(out, "generated-images", "tile", "test", "good", "000.png")),
    );
    expect(width).to.be.at.least(64);
    expect(readFileSync(join(out, "config.yaml"), "utf8")).to.contain(`imageSize: ${width}\n`);
  });

  it("train of PatchCore, and nothing is kept", async () => {
    const out = join(folder, "patchcore");
    const args = ["--data", join(folder, "tile"), "--method", "patchcore", ...smallSettings, ...features];
    const { said, output } = await stopped(/^\d+ good images/m, "train", ...args, "--out", out);
    expect(output).to.equal("");
    expect(said).to.match(
      /^Stopped\. Nothing is saved\. Run this command to start again: ddad train --data /m,
    );
    expect(existsSync(join(out, "model.safetensors"))).to.equal(false);
  });

  it("bench", async () => {
    const args = ["bench", "--checkpoint", run, "--repetitions", "100000"];
    const { said, output } = await stopped(/^measuring one forward pass/m, ...args);
    expect(output).to.equal("");
    expect(said).to.match(
      /^Stopped\. Nothing is saved\. Run this command to measure again: ddad bench --checkpoint .+ --repetitions 100000$/m,
    );
  });

  it("report, and no page is written", async () => {
    const results = writeEvaluation(join(folder, "results"), await madeUpEvaluation());
    const page = join(folder, "report.html");
    const listeners = (): NodeJS.SignalsListener[] => process.listeners("SIGINT") as NodeJS.SignalsListener[];
    const before = listeners();
    const done = ddad("report", results, "--html", page);
    let own: NodeJS.SignalsListener | undefined;
    while (own === undefined) {
      await new Promise((settle) => setImmediate(settle));
      own = listeners().find((each) => !before.includes(each));
    }
    own("SIGINT");
    const { code, output, errors } = await done;
    expect(code, errors).to.equal(130);
    expect(output).to.equal("");
    expect(errors).to.match(/^Stopped\. No report was written\. Run this command to write it: ddad/m);
    expect(existsSync(page)).to.equal(false);
  });
});
