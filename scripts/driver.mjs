#!/usr/bin/env node
// Makes sure that Node finds a WebGPU adapter. Where the machine has none, a software Vulkan driver (Mesa's llvmpipe)
// is installed on Debian and Ubuntu; elsewhere one sentence says what to install. Runs alone, too:
// `sudo node scripts/driver.mjs` when the account that runs `npm test` may not install packages.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const packages = ["mesa-vulkan-drivers", "libvulkan1"];

/** Options of apt-get that wait for its lock and print errors alone. */
export const quiet = [
  "-qq",
  "-o",
  "Dpkg::Use-Pty=0",
  "-o",
  "DPkg::Lock::Timeout=120",
  "-o",
  "Acquire::Retries=3",
  "-o",
  "APT::Update::Error-Mode=any",
];

/** Mesa 22.3 (Debian 12's own) lacks what Dawn asks of Vulkan; 25.0 has it. Older candidates are not even tried. */
const oldestMesa = 23;

const probe = `
import { create } from "webgpu";
globalThis.gpu = create([]); // collecting it while the process lives crashes Dawn
const adapter = await globalThis.gpu.requestAdapter();
const { description, device, vendor } = adapter?.info ?? {};
console.log(JSON.stringify(adapter ? description || device || vendor || "unnamed" : null));
process.exit(0);
`;

/** Environment for child processes: without XDG_RUNTIME_DIR Mesa prints a warning that means nothing here. */
export const childEnvironment = { ...process.env, XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR || tmpdir() };

/**
 * The adapter's description, or null where there is none.
 * @throws Error with a sentence where the native module does not load or the driver crashes.
 */
export function findAdapter() {
  const child = spawnSync(process.execPath, ["--input-type=module", "--eval", probe], {
    cwd: root,
    encoding: "utf8",
    env: childEnvironment,
    timeout: 120_000,
  });
  if (child.status === 0) return JSON.parse(child.stdout);
  const reason = child.stderr.split("\n").find((line) => /^\w*Error\b/.test(line));
  throw new Error(
    `asking the "webgpu" package for an adapter failed (${reason ?? child.signal ?? `exit code ${child.status}`}). ` +
      "It needs glibc 2.34 or newer on Linux (Debian 12, Ubuntu 22.04), macOS 12 or Windows 10.",
  );
}

/** Finds an adapter, installing a driver when there is none. Throws an Error with a sentence when that is impossible. */
export function ensureAdapter(report = console.log) {
  const found = findAdapter();
  if (found) return report(`adapter: ${found}`);
  for (const name of ["VK_ICD_FILENAMES", "VK_DRIVER_FILES"]) {
    if (process.env[name]) {
      throw new Error(
        `the Vulkan driver that ${name} names (${process.env[name]}) gives no WebGPU adapter: correct or unset it.`,
      );
    }
  }
  const system = readSystem();
  if (!system.apt)
    throw new Error(`no WebGPU adapter was found. ${advice[process.platform] ?? advice.linux}`);
  const administrator = findAdministrator();
  if (!administrator) {
    throw new Error(
      `no WebGPU adapter was found, and this account may not install one (it is not root and has no passwordless sudo). ` +
        `Run once, with the rights to install packages: sudo "${process.execPath}" "${fileURLToPath(import.meta.url)}"`,
    );
  }
  report("adapter: none found, installing a software Vulkan driver (a minute or two)");
  const started = Date.now();
  const adapter = installDriver(system, administrator);
  report(`adapter: ${adapter}, installed in ${Math.round((Date.now() - started) / 1000)} s`);
}

const advice = {
  linux:
    "Install a Vulkan 1.3 driver, for instance Mesa's software driver: mesa-vulkan-drivers and vulkan-loader on Fedora, " +
    "vulkan-swrast and vulkan-icd-loader on Arch, Mesa-vulkan-lavapipe and libvulkan1 on openSUSE.",
  darwin: "WebGPU runs on Metal: macOS 12 or newer with a Metal device is needed.",
  win32: "WebGPU runs on Direct3D 12: update the graphics driver.",
};

/** Whether apt installs packages here, and the name of the release. */
export function readSystem() {
  const file = "/etc/os-release";
  const text = process.platform === "linux" && existsSync(file) ? readFileSync(file, "utf8") : "";
  const field = (name) => text.match(new RegExp(`^${name}="?([^"\n]*)"?$`, "m"))?.[1] ?? "";
  const debian = /\b(debian|ubuntu)\b/.test(`${field("ID")} ${field("ID_LIKE")}`);
  return { codename: field("VERSION_CODENAME"), apt: debian && existsSync("/usr/bin/apt-get") };
}

/** The words to put before a command so that it runs as root: none, `sudo -n`, or null where there is no way. */
export function findAdministrator() {
  if (process.getuid?.() === 0) return [];
  return spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status === 0 ? ["sudo", "-n"] : null;
}

/**
 * Installs the driver from the suites that the machine uses; where their Mesa is too old (Debian 12), from the backports
 * suite of the same mirror, named for these commands only: no file stays under /etc/apt.
 */
function installDriver({ codename }, administrator) {
  const folder = mkdtempSync(join(tmpdir(), "ddad-apt-"));
  try {
    const facts = [];
    const backports = codename && `${codename}-backports`;
    for (const suite of ["the configured suites", backports]) {
      // The mirror is known only after the configured suites have been read once, hence not before the loop.
      const sources = suite === backports ? writeSources(folder, suite) : [];
      if (!suite || !sources) continue;
      const target = suite === backports ? ["-t", suite] : [];
      // A source of somebody else's that fails must not stop ours: whether the driver can be had shows below.
      const update = run(administrator, ["apt-get", ...quiet, ...sources, "update"]);
      if (update.failure) facts.push(update.failure);
      const policy = run([], ["apt-cache", ...sources, ...target, "policy", packages[0]]);
      const candidate = policy.output.match(/Candidate: (\S+)/)?.[1] ?? "(none)";
      facts.push(`${suite}: Mesa ${candidate}`);
      if (!(Number.parseFloat(candidate) >= oldestMesa)) continue;
      const install = [...sources, ...target, "install", "--yes", "--no-install-recommends", ...packages];
      const { failure } = run(administrator, ["apt-get", ...quiet, ...install]);
      if (failure) facts.push(failure);
      const adapter = failure ? null : findAdapter();
      if (adapter) return adapter;
    }
    throw new Error(
      `no WebGPU adapter was found, and no driver that gives one could be installed. ` +
        `A Vulkan 1.3 driver is needed, Mesa ${oldestMesa} or newer for the software one. Tried:\n  ${facts.join("\n  ")}`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Copies the machine's apt sources and adds one suite of its main mirror; gives the options that make apt read them. */
function writeSources(folder, suite) {
  const format = "$(RELEASE) $(REPO_URI)";
  const targets = run([], ["apt-get", "indextargets", "--format", format, "Identifier: Packages"]);
  const known = targets.output.split("\n").map((line) => line.split(" "));
  const parts = join(folder, "sources.list.d");
  mkdirSync(parts);
  if (existsSync("/etc/apt/sources.list.d")) cpSync("/etc/apt/sources.list.d", parts, { recursive: true });
  if (existsSync("/etc/apt/sources.list")) cpSync("/etc/apt/sources.list", join(parts, "main.list"));
  if (!known.some(([release]) => release === suite)) {
    // "bookworm" or "stable"; the security and update suites carry a dash or a slash and may live elsewhere.
    const mirror = known.find(([release, address]) => address && !/[-/]/.test(release))?.[1];
    if (!mirror) return null;
    const keyring = ["debian", "ubuntu"]
      .map((name) => `/usr/share/keyrings/${name}-archive-keyring.gpg`)
      .find((file) => existsSync(file));
    const options = keyring ? `[signed-by=${keyring}] ` : "";
    writeFileSync(join(parts, `${suite}.list`), `deb ${options}${mirror} ${suite} main\n`);
  }
  return ["-o", "Dir::Etc::SourceList=/dev/null", "-o", `Dir::Etc::SourceParts=${parts}`];
}

/** Runs a command as root (or as anybody, with no words before it) and gives its output, and a sentence if it failed. */
export function run(administrator, command) {
  const [program, ...words] = [
    ...administrator,
    "env",
    "LC_ALL=C",
    "DEBIAN_FRONTEND=noninteractive",
    ...command,
  ];
  const child = spawnSync(program, words, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1 << 26,
  });
  if (child.status === 0) return { output: child.stdout };
  const detail = (child.stderr || String(child.error ?? "")).trim().split("\n").slice(-6).join("\n    ");
  return { output: "", failure: `${command.join(" ")} failed:\n    ${detail}` };
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    ensureAdapter();
  } catch (error) {
    console.error(`driver: ${error.message}`);
    process.exit(1);
  }
}
