/** The command on a fresh clone: what the README tells to type must be there after set-up, from this repository alone. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";

const root = join(import.meta.dirname, "..", "..", "..");

/** Runs a program with neither this test's export condition nor the variables of the `npm` that started it. */
function run(folder: string, program: string, words: readonly string[]) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS$)/i.test(name));
  const { status, stdout, stderr } = spawnSync(program, words, {
    cwd: folder,
    env: { ...Object.fromEntries(inherited), DDAD_SKIP_DRIVER: "1" },
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  return { status, stdout, stderr };
}

describe("a fresh clone", () => {
  let clone = "";

  before(function () {
    const listed = run(root, "git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
    if (listed.status !== 0) {
      console.log("    skipped: this is no git checkout, so there is nothing to clone");
      this.skip();
    }
    clone = mkdtempSync(join(tmpdir(), "ddad-clone-"));
    for (const file of listed.stdout.split("\0").filter(Boolean)) {
      if (existsSync(join(root, file))) cpSync(join(root, file), join(clone, file));
    }
  });

  after(() => {
    if (clone) rmSync(clone, { recursive: true, force: true });
  });

  it("has the command ddad after set-up, without asking a registry for it", () => {
    const setup = run(clone, process.execPath, ["scripts/setup.mjs"]);
    expect(setup, "set-up").to.include({ status: 0, stderr: "" });
    const version = run(clone, "npx", ["--no-install", "ddad", "--version"]);
    expect(version.status, version.stderr).to.equal(0);
    expect(version.stdout).to.match(/^\d+\.\d+\.\d+\n$/);
  });

  it("says how to build the program where it is not built", () => {
    rmSync(join(clone, "packages", "cli", "dist"), { recursive: true });
    const version = run(clone, "npx", ["--no-install", "ddad", "--version"]);
    expect(version).to.include({ status: 1, stdout: "" });
    expect(version.stderr).to.contain("npm run setup");
  });
});
