/** Pipes and devices in the place of files: they never end, and each command says so at once. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { ddad } from "./commandLine.ts";

describe("what is no file", () => {
  it("is refused by its name by each command that reads it", async function () {
    if (process.platform === "win32") this.skip();
    const folder = mkdtempSync(join(tmpdir(), "ddad-pipes-"));
    try {
      const pipe = (name: string): string => {
        const path = join(folder, name);
        expect(spawnSync("mkfifo", [path]).status).to.equal(0);
        return path;
      };
      const device = join(folder, "device.safetensors");
      symlinkSync("/dev/zero", device);
      mkdirSync(join(folder, "parts", "train", "good"), { recursive: true });
      pipe(join("parts", "train", "good", "a.png"));
      const [settings, table, model] = [pipe("a.yaml"), pipe("a.csv"), pipe("a.safetensors")];
      const small = [
        "--set",
        "data.imageSize=32",
        "--set",
        "data.heldOut=0",
        "--set",
        "protocol=paper",
        "--set",
        "features.network=none",
      ];
      for (const [words, named] of [
        [["train", "--config", settings], settings],
        [["train", "--data", table], table],
        [["train", "--data", join(folder, "parts"), ...small], "a.png"],
        [["predict", table, "--checkpoint", model], model],
        [["evaluate", "--checkpoint", device], device],
        [["import", model, "--out", join(folder, "out.safetensors")], model],
        [["import", device, "--out", join(folder, "out.safetensors")], device],
      ] as const) {
        const { code, errors } = await ddad(
          ...words,
          ...(words[0] === "train" ? ["--out", join(folder, "run")] : []),
        );
        expect(code, errors).to.equal(2);
        expect(errors.split("\n").find((line) => line.startsWith("error: ")))
          .to.contain(named)
          .and.match(/is not a file|neither a file|not a regular file/);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
