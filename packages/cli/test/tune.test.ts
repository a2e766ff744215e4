/** `--tune`: what is measured before a command works, what is said of it, and that it changes nothing else. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Device, LimitError } from "@ddad/nn";
import { expect } from "chai";
import { train as runTraining, tuneTraining } from "../../ddad/src/training/train.ts";
import { smallConfig, smallImages } from "../../ddad/test/small.ts";
import { writeProcedural } from "../../node/src/datasets/writeProcedural.ts";
import { releaseGarbage, testDevice } from "../../tensor/test/device.hooks.ts";
import { ddad, smallSettings } from "./commandLine.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const nothing = /^no kernel had to be measured: of \d+ each has one variant or a choice that is known for /m;

describe("--tune", () => {
  let folder: string;
  let root: string;
  let file: string;
  const { DDAD_TUNING: before } = process.env;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ddad-tune-"));
    root = writeProcedural(folder, { category: "tile", size: 32, train: 8, testGood: 2, testPerDefect: 1 });
    file = join(folder, "tuning.json");
    process.env["DDAD_TUNING"] = file;
  });
  afterEach(async () => {
    process.env["DDAD_TUNING"] = before;
    (await commandDevice()).tuning.forget();
    testDevice().tuning.forget();
    rmSync(folder, { recursive: true });
  });

  const train = (out: string, ...more: string[]) =>
    ddad("train", "--data", root, ...smallSettings, "--out", join(folder, out), "--json", ...more);

  // Takes long on a software adapter: some twenty variants of each of fifty kernels are compiled.
  it("measures a training step, keeps the choices, and leaves the training as it is", async () => {
    const tuned = await train("tuned", "--tune");
    expect(tuned.code, tuned.errors).to.equal(0);
    expect(JSON.parse(tuned.output)).to.include({ steps: 4 });
    const { name, tuning } = await commandDevice();
    const [, count, changed, adapter, place] =
      tuned.errors.match(
        /^measured (\d+) kernels in .+ s, (\d+) changed; the choices are kept for (.+) in (.+)$/m,
      ) ?? [];
    expect([adapter, place], tuned.errors).to.deep.equal([name, file]);
    expect(tuning.choices.size).to.be.within(Math.max(1, Number(changed)), Number(count));
    const { tables } = JSON.parse(readFileSync(file, "utf8")) as { tables: Record<string, object> };
    expect(Object.values(tables)).to.deep.equal([Object.fromEntries(tuning.choices)]);

    // By the same choices, untuned or stopped between, a run ends at the same files.
    const plain = await train("plain");
    expect(plain.errors).to.not.match(/kernel/);
    const half = await train("f16", "--tune", "--stop-after", "2");
    expect(half.errors).to.match(nothing);
    const rest = await ddad("train", "--resume", "--out", join(folder, "f16"), "--tune");
    expect(rest.errors).to.match(nothing);
    for (const name of ["model.safetensors", "checkpoint.safetensors", "config.yaml"]) {
      const [first, ...others] = ["tuned", "plain", "f16"].map((run) =>
        readFileSync(join(folder, run, name)),
      );
      for (const other of others) expect(other.equals(first!), name).to.equal(true);
    }
    // Nothing is left to train, so nothing to measure.
    const complete = await ddad("train", "--resume", "--out", join(folder, "f16"), "--tune");
    expect(complete.code).to.equal(0);
    expect(complete.errors).to.not.match(/kernel/);

    const run = await ddad(
      "run",
      "--data",
      root,
      ...smallSettings,
      "--out",
      join(folder, "run"),
      "--tune",
      "--json",
    );
    expect(run.code, run.errors).to.equal(0);
    expect(run.errors).to.match(nothing);
    expect(JSON.parse(run.output)).to.have.keys("results");

    const doctor = await child("doctor", "--json");
    expect(JSON.parse(doctor).tuning).to.deep.equal({ choices: tuning.choices.size, file });
    const text = (await ddad("doctor")).output;
    expect(text)
      .to.match(/^tuning +\d+ measured choices of kernels for this adapter, kept in /m)
      .and.contain(file);
  });

  it("measures an inspection before it is timed, with progress on a terminal", async () => {
    process.env["DDAD_TUNING"] = "off";
    const { isTTY } = process.stderr;
    process.stderr.isTTY = true;
    try {
      const { code, output, errors } = await ddad(
        "bench",
        ...smallSettings,
        "--repetitions",
        "1",
        "--tune",
        "--json",
      );
      expect(code, errors).to.equal(0);
      expect(JSON.parse(output)).to.include({ imageSize: 16 });
      // A line that takes another's place begins with "\r\x1b[K".
      const lines = errors.split("\r\x1b[K");
      const progress = lines.filter((line) =>
        /^measured kernels: \d+ · \w+ .+ · [\d.]+ kernels\/s$/.test(line),
      );
      expect(progress, errors).to.not.have.length(0);
      expect(lines.join("\n")).to.match(
        /^measured \d+ kernels in .+ s, \d+ changed; the choices end with this process: there is no place to keep them \(DDAD_TUNING=off/m,
      );
    } finally {
      process.stderr.isTTY = isTTY;
    }
    expect((await commandDevice()).tuning.choices.size).to.be.greaterThan(0);
    expect((await ddad("doctor")).output).to.match(
      /^tuning +\d+ measured .+, not kept: DDAD_TUNING is off$/m,
    );
  });

  it("measures as many images at a time as the training will compute, its own trainer gone by then", async () => {
    const device = testDevice();
    const { checkSize } = device;
    // The largest tensor is 16 KiB an image, not counting the parameters that are updated together.
    device.checkSize = (bytes, what) => {
      if (bytes > 80_000 && !/accumulate|adamEmaStep|sumOfSquares/.test(what))
        throw new LimitError(`${what} is too large.`);
    };
    const config = smallConfig({ training: { batchSize: 6, steps: 1 } });
    const images = smallImages(6, 1);
    let notice = "";
    const onNotice = (text: string): void => {
      notice = text;
    };
    await runTraining({ config, train: images, heldOut: smallImages(0, 1), onNotice });
    const [, atATime] = /at once: (\d) at a time/.exec(notice)!;
    const { buffers, workspace } = device;
    const held = (): number => buffers.liveBytes + buffers.pooledBytes - workspace.bytes;
    await releaseGarbage();
    const heldBefore = held();
    let shapes = "";
    const stopped = await tuneTraining(
      { config, train: images },
      {
        samples: 1,
        store: undefined,
        onRow: (row) => {
          // A trainer holds 2.8 MB; constants of its step stay until they are collected.
          expect(held() - heldBefore).to.be.lessThan(50_000);
          if (row.kernel !== "conv2d") return;
          shapes = row.shapes;
          throw new Error("enough was seen");
        },
      },
    )
      .catch((error: Error) => error.message)
      .finally(() => {
        device.checkSize = checkSize;
      });
    expect(stopped).to.equal("enough was seen");
    expect(shapes).to.match(new RegExp(`^x f32 \\[${atATime}, `));
  });

  it("is refused where there is no training step", async () => {
    for (const command of ["train", "run"]) {
      const { code, output, errors } = await ddad(
        ...[command, "--data", root, "--method", "patchcore", "--set", "features.network=resnet18", "--tune"],
      );
      expect(code).to.equal(2);
      expect(output).to.equal("");
      expect(errors).to.match(
        /^error: --tune measures a training step, and method patchcore takes none; .* ddad bench/,
      );
    }
  });
});

/** The device of the commands: they are loaded lazily, for which the test runner may make modules anew, and a device with them. */
const commandDevice = async (): Promise<Device> => (await import("@ddad/nn")).setupDevice();

/** What `ddad` prints in a process of its own. */
async function child(...args: string[]): Promise<string> {
  const process_ = spawn(process.execPath, ["--conditions=@ddad/source", "--import", "tsx", main, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  process_.stdout.on("data", (text) => {
    output += String(text);
  });
  expect(await new Promise((settle) => process_.on("close", settle))).to.equal(0);
  return output;
}
