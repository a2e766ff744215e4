/** `ddad doctor` where something is missing, and what works without WebGPU. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

interface Ended {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

/** Runs a file of TypeScript in a process of its own. @param hooks module that is loaded before */
const runScript = (
  script: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  hooks: readonly string[] = [],
): Promise<Ended> =>
  new Promise((resolve) => {
    const imports = ["tsx", ...hooks].flatMap((name) => ["--import", name]);
    execFile(
      process.execPath,
      ["--conditions=@ddad/source", ...imports, file(script), ...args],
      { env: { ...process.env, DDAD_TUNING: "off", ...environment } },
      (error, output, errors) => resolve({ code: Number(error?.code ?? 0), output, errors }),
    );
  });

const doctor = "../src/main.ts";
const noDawn = [file("./noDawn.hooks.mjs")];
const missing =
  'setupDevice: WebGPU in Node comes from the package "webgpu", which is not installed: run "npm install webgpu".';
const broken = new RegExp(
  `^setupDevice: the package "webgpu" does not load on this system \\(${process.platform} ${process.arch}: ` +
    "/lib/libc\\.so\\.6: version `GLIBC_2\\.34' not found \\(required by dawn\\.node\\)\\), so use Linux with glibc 2\\.34 .*, or a browser\\.$",
);

describe("ddad doctor", () => {
  it("says what to install where there is no adapter", async () => {
    const { code, output, errors } = await runScript(doctor, ["doctor", "--json"], {
      VK_DRIVER_FILES: "/nowhere",
      VK_ICD_FILENAMES: "/nowhere",
    });
    expect(code).to.equal(1);
    expect(errors).to.match(/setupDevice: no WebGPU adapter was found\. Install a GPU driver/);
    expect(errors).to.match(/mesa-vulkan-drivers/);
    expect(JSON.parse(output)).to.deep.include({ ok: false, adapter: null, adapters: [] });
  });

  it("names those there are where DDAD_ADAPTER names none of them", async () => {
    const { code, output, errors } = await runScript(doctor, ["doctor", "--json"], {
      DDAD_ADAPTER: "no such adapter",
    });
    expect(code).to.equal(1);
    expect(errors).to.match(/adapter named "no such adapter", which DDAD_ADAPTER asks for; .* of these: 0 "/);
    expect(errors).to.not.match(/What gives a WebGPU adapter/);
    expect((JSON.parse(output) as { adapters: object[] }).adapters).to.not.deep.equal([]);
  });

  it("says in one sentence what is missing where Dawn is not installed, or does not load", async () => {
    const without = await runScript(doctor, ["doctor"], { DAWN: "missing" }, noDawn);
    expect(without).to.deep.equal({ code: 1, output: "", errors: `${missing}\n` });
    const unloadable = await runScript(doctor, ["doctor", "--json"], { DAWN: "broken" }, noDawn);
    expect(unloadable.code).to.equal(1);
    expect(unloadable.errors.trimEnd()).to.match(broken);
    expect(JSON.parse(unloadable.output)).to.deep.include({ problem: unloadable.errors.trimEnd() });
  });
});

describe("without Dawn", () => {
  it("all packages load, and what needs no device works", async () => {
    const script = "./noDawn.script.ts";
    for (const [DAWN, sentence] of [
      ["missing", new RegExp(`^NoAdapterError: ${missing.replaceAll(/[.()]/g, "\\$&")}$`)],
      ["broken", new RegExp(broken.source.replace("^", "^NoAdapterError: "))],
    ] as const) {
      const { code, output, errors } = await runScript(script, [], { DAWN }, noDawn);
      expect(code, errors).to.equal(0);
      const [metrics, setup, list, ...rest] = output.trimEnd().split("\n");
      expect(metrics).to.equal("2");
      expect(setup).to.match(sentence);
      expect(list).to.equal(setup);
      expect(rest).to.deep.equal([]);
    }
  });
});
