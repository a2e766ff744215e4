/** The examples that train on digits, a text and images, each in a short form, and all as programs. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { characterGPT } from "./characterGPT.ts";
import { diffuseDigits } from "./diffuseDigits.ts";
import { readDigits } from "./mnist.ts";
import { transferLearning } from "./transferLearning.ts";

const folder = import.meta.dirname;

/** Progress, which a test has no use for. */
const print = (): void => {};

const falls = (losses: readonly number[], factor: number): void =>
  void expect(losses.at(-1), `losses ${losses.join(", ")}`).to.be.lessThan(factor * losses[0]!);

describe("examples of training", () => {
  it("mnist: unseen digits are mostly read after 800 others, twice", async () => {
    expect(await readDigits({ training: 800, test: 300, epochs: 2, print })).to.be.within(0.7, 1);
  });

  it("characterGPT: the loss falls, and the sample is of the poem's characters", async () => {
    const { losses, sample } = await characterGPT({ epochs: 3, print, letters: 60 });
    expect(losses[0]).to.be.within(1.5, 3); // at first it is ln 40 = 3.7
    falls(losses, 0.8);
    expect(sample).to.have.lengthOf(60);
    expect(sample).to.match(/^Shall I[\w\s',:;.?]+$/);
  });

  it("diffuseDigits: the loss falls, and ten digits are drawn", async () => {
    const { losses, drawn } = await diffuseDigits({ training: 400, epochs: 3, print, steps: 3 });
    falls(losses, 0.75);
    expect(drawn.shape).to.deep.equal([10, 28, 28, 1]);
    for (const value of await drawn.data()) expect(value).to.be.within(-1, 1);
  });

  it("transferLearning: the head alone learns, on features of a frozen network", async () => {
    const { losses, accuracy, trained } = await transferLearning({ perKind: 12, epochs: 5, print });
    expect(trained).to.deep.equal(["head.weight", "head.bias"]);
    falls(losses, 0.6);
    expect(accuracy).to.be.within(0.75, 1);
  });
});

describe("npm run example", () => {
  const run = (...words: string[]) => {
    const options = ["--conditions=@ddad/source", "--import", "tsx", join(folder, "main.ts"), ...words];
    return spawnSync(process.execPath, options, { encoding: "utf8", timeout: 100_000 });
  };

  it("lists every example with a sentence", () => {
    const { stdout, status } = run();
    const listed = [...stdout.matchAll(/^ {2}(\w+) +\S.*\.$/gm)].map(([, name]) => name);
    const files = readdirSync(folder).filter((file) => /^\w+\.ts$/.test(file));
    expect(listed).to.deep.equal(
      files.map((file) => file.slice(0, -3)).filter((name) => !["main", "printImages", "run"].includes(name)),
    );
    expect(status).to.equal(0);
  });

  it("says which there are where the name is wrong", () => {
    const { stderr, status } = run("fitCurve");
    expect(stderr).to.match(
      /^There is no example fitCurve\.\n\nUsage: npm run example NAME\n\n( .*\n)+ *fitACurve/,
    );
    expect(status).to.equal(2);
  });

  for (const [name, words] of [
    ["tensorsAndGradients", "loss: 30.625"],
    ["twentyLines", "step 20: loss 0."],
  ] as const) {
    it(`${name} runs as a program`, () => {
      const { stdout, status } = run(name);
      expect(stdout).to.contain(words);
      expect(status).to.equal(0);
    });
  }
});
