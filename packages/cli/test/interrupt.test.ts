/** Ctrl-C, once and twice. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { writeProcedural } from "../../node/src/datasets/writeProcedural.ts";
import { stopOnInterrupt } from "../src/interrupt.ts";

/** All listeners: the test runner has one, too. */
const listening = (): NodeJS.SignalsListener[] => process.listeners("SIGINT") as NodeJS.SignalsListener[];

describe("stopOnInterrupt", () => {
  const { kill, removeAllListeners } = process;
  const { write } = process.stderr;
  let said: string;
  const codes: unknown[] = [];
  beforeEach(() => {
    said = "";
    codes.length = 0;
    process.stderr.write = (text: string | Uint8Array) => {
      said += String(text);
      return true;
    };
    process.kill = ((pid: number, signal: unknown) => {
      codes.push(pid === process.pid ? signal : pid);
      return true;
    }) as typeof kill;
    process.removeAllListeners = ((name: unknown) => {
      codes.push(`no more listeners to ${String(name)}`);
      return process;
    }) as typeof removeAllListeners;
  });
  afterEach(() => {
    process.stderr.write = write;
    process.kill = kill;
    process.removeAllListeners = removeAllListeners;
  });

  it("asks work to stop at the first, ends the process at the second, and is gone afterwards", async () => {
    const before = listening();
    {
      using interrupt = stopOnInterrupt();
      const [listener, ...more] = listening().filter((each) => !before.includes(each));
      expect(more).to.deep.equal([]);
      expect(interrupt.signal.aborted).to.equal(false);
      listener!("SIGINT");
      expect(interrupt.signal.aborted).to.equal(true);
      expect(said).to.match(/Stopping and saving the progress\. Press Ctrl-C again to stop at once\./);
      expect(codes).to.deep.equal([]);
      listener!("SIGINT");
      expect(codes, "the same one, passed on").to.deep.equal([]);
      await new Promise((settle) => setTimeout(settle, 150));
      listener!("SIGINT");
      expect(codes).to.deep.equal(["no more listeners to SIGINT", "SIGINT"]);
    }
    expect(listening()).to.deep.equal(before);
  });
});

describe("a second Ctrl-C", () => {
  it("ends at once, without a crash, while the GPU computes", async function () {
    if (process.platform === "win32") this.skip();
    this.timeout(120_000);
    const folder = mkdtempSync(join(tmpdir(), "ddad-twice-"));
    const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
    try {
      const root = writeProcedural(folder, {
        ...{ category: "tile", size: 32, train: 8, testGood: 0, testPerDefect: 0 },
      });
      const settings = [
        ...["data.imageSize=64", "data.heldOut=0.3", "model.baseChannels=64", "model.heads=1"],
        ...["model.channelMultipliers=[1,2]", "model.blocksPerLevel=1", "model.attentionSizes=[8]"],
      ].flatMap((setting) => ["--set", setting]);
      for (const wait of [0, 400, 900]) {
        const child = spawn(
          process.execPath,
          [
            ...["--conditions=@ddad/source", "--import", "tsx", main, "train", "--data", root],
            ...[...settings, "--out", join(folder, `run ${wait}`)],
          ],
          { stdio: ["ignore", "ignore", "pipe"] },
        );
        let said = "";
        let asked = 0;
        child.stderr.on("data", (text) => {
          said += String(text);
          if (/planned device memory/.test(said) && asked === 0) {
            asked = 1;
            setTimeout(() => child.kill("SIGINT"), wait);
          }
          if (/Press Ctrl-C again/.test(said) && asked === 1) {
            asked = 2;
            setTimeout(() => child.kill("SIGINT"), 200);
          }
        });
        const ended = await new Promise((settle) => child.on("close", (...how) => settle(how)));
        // A shell shows both as 130. A crash would be SIGSEGV, or code 139.
        expect(ended, said).to.deep.equal([null, "SIGINT"]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
