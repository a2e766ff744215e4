/** What an error message says when work fails: what is saved, and which command comes next. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DeviceLostError } from "@ddad/nn";
import { expect } from "chai";
import { DivergedError } from "../../ddad/src/errors.ts";
import { writeProcedural } from "../../node/src/datasets/writeProcedural.ts";
import { eventPrinter } from "../src/events.ts";
import { describeFailure, forgetReached, isWrongUse } from "../src/failure.ts";
import { printable, rememberCommand } from "../src/terminal.ts";
import { ddad, smallSettings } from "./commandLine.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const hooks = new URL("./loseDevice.hooks.ts", import.meta.url).href;

describe("a lost device", () => {
  const lost = (...words: string[]): string => {
    rememberCommand(words);
    return describeFailure(
      new DeviceLostError("The device was lost (unknown): reset. Call setupDevice() again and reload."),
    );
  };
  const cause =
    "The device was lost (unknown): reset. If that happens again, update the driver of the GPU, or check it with ddad doctor.";
  beforeEach(forgetReached);

  it("is reported with the command that resumes, and its cause", () => {
    expect(lost("train", "--data", "my parts", "--overwrite").split("\n")).to.deep.equal([
      "The GPU stopped working. Nothing new was saved. Run this command again: ddad train --data 'my parts' --overwrite",
      cause,
    ]);
    eventPrinter()({ type: "checkpoint", path: "r/checkpoint.safetensors", step: 7 });
    const saved =
      "The GPU stopped working. Step 7 is saved in r/checkpoint.safetensors. Run this command to resume:";
    expect(lost("train", "--overwrite", "--out", "r").split("\n")).to.deep.equal([
      `${saved} ddad train --out r --resume`,
      cause,
    ]);
    expect(lost("adapt", "--checkpoint", "r")).to.contain(`${saved} ddad adapt --checkpoint r --resume`);
    expect(lost("run", "--out", "r", "--overwrite")).to.contain(`${saved} ddad run --out r\n`);
    expect(lost("evaluate", "--checkpoint", "r")).to.contain(
      "Run this command again: ddad evaluate --checkpoint r\n",
    );
    expect(isWrongUse(new DeviceLostError(""))).to.equal(false);
  });

  it("never replaces results in a folder that predict chose", () => {
    expect(lost("predict", "p", "--out", "o")).to.contain("No image was inspected. Run this command");
    eventPrinter()({ type: "inspected", id: "a.png", score: 1 });
    expect(lost("predict", "p", "--out", "o")).to.match(
      /first image are saved\. .*: ddad predict p --out o --overwrite\n/,
    );
    expect(lost("predict", "p")).to.match(/: ddad predict p\n/);
  });

  it("in a training costs no more than the steps since the last checkpoint", async function () {
    this.timeout(240_000);
    const folder = mkdtempSync(join(tmpdir(), "ddad-lost-"));
    try {
      const root = writeProcedural(folder, {
        ...{ category: "tile", size: 32, train: 8, testGood: 0, testPerDefect: 0 },
      });
      const words = (name: string): string[] => [
        ...["train", "--data", root, ...smallSettings, "--set", "training.steps=8"],
        ...["--set", "detection.blurSigma=1", "--out", join(folder, name)],
      ];
      const state = join(folder, "lost", "checkpoint.safetensors");
      const { status, stderr } = spawnSync(
        process.execPath,
        ["--conditions=@ddad/source", "--import", "tsx", "--import", hooks, main, ...words("lost")],
        { encoding: "utf8", env: { ...process.env, LOSE_AFTER: state } },
      );
      expect(status, stderr).to.equal(1);
      expect(stderr).to.match(
        /error: The GPU stopped working\. Step \d+ is saved in .* --resume\nerror: The device was lost/,
      );
      expect(stderr).not.to.contain("setupDevice");
      expect(await ddad(...words("lost"), "--resume")).to.include({ code: 0 });
      expect(await ddad(...words("whole"))).to.include({ code: 0 });
      expect(
        readFileSync(state).equals(readFileSync(join(folder, "whole", "checkpoint.safetensors"))),
      ).to.equal(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("a training that diverges", () => {
  it("is cured by a setting, so the exit code is 2", () => {
    expect(isWrongUse(new DivergedError("Training diverged."))).to.equal(true);
  });
});

describe("printable", () => {
  it("shows control characters and signs that turn the direction of reading, and leaves all else", () => {
    expect(printable("a\u001b[2J\r\u009b\u202eb")).to.equal("a\\u{1b}[2J\\u{d}\\u{9b}\\u{202e}b");
    const plain = "─ × → … 部品 é 👩‍🔧\n\tline";
    expect(printable(plain)).to.equal(plain);
  });
});
