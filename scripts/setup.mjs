#!/usr/bin/env node
// Makes a fresh clone ready: dependencies from the lock file, the build, a WebGPU adapter. Does only what is missing, so
// `npm test`, `npm run demo` and `npm run bench` begin with it. Uses nothing but Node: it runs before node_modules exists.
// DDAD_SKIP_DRIVER=1 leaves the adapter out (for a machine that only builds and checks types).
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { childEnvironment, ensureAdapter } from "./driver.mjs";
import { ensureOnnxTestdata } from "./onnxTestdata.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

try {
  checkNode();
  installDependencies();
  build();
  if (process.env.DDAD_SKIP_DRIVER === "1") console.log("adapter: not looked for (DDAD_SKIP_DRIVER=1)");
  else ensureAdapter();
  // Only where a whole suite is run by a machine: elsewhere a set-up does not install what nobody asked for.
  if (process.env.CI === "true") ensureOnnxTestdata();
} catch (error) {
  console.error(`setup: ${error.message}`);
  process.exit(1);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new Error(`Node ${process.versions.node} is too old: 20.19 or newer is needed.`);
}

function installDependencies() {
  if (dependenciesMatchLock()) return console.log("dependencies: up to date");
  const started = Date.now();
  // The tests and the build need the development dependencies whatever NODE_ENV or npm's configuration says.
  const words = ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  const npm = process.env.npm_execpath;
  const child =
    npm && basename(npm).startsWith("npm")
      ? spawnSync(process.execPath, [npm, ...words], options())
      : spawnSync("npm", words, { ...options(), shell: process.platform === "win32" });
  if (child.status !== 0) {
    const detail = child.error ? String(child.error) : firstLines(`${child.stdout}${child.stderr}`);
    throw new Error(
      "npm ci failed, so the dependencies are not installed (a registry that npm can reach is needed). npm said:\n" +
        detail,
    );
  }
  console.log(`dependencies: installed in ${seconds(started)}`);
}

/**
 * Whether node_modules holds what package-lock.json asks for, by comparing versions and hashes with npm's own record of what
 * it installed. Times of files would mislead: git writes a new time on every checkout.
 */
function dependenciesMatchLock() {
  const record = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(record)) return false;
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const installed = JSON.parse(readFileSync(record, "utf8")).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.startsWith("node_modules/")) return true; // the workspaces themselves; their dependencies have own entries
    const present = installed[path];
    if (!present) return entry.optional === true; // made for another platform
    const same = present.version === entry.version && present.integrity === entry.integrity;
    return same && existsSync(join(root, path));
  });
}

function build() {
  const started = Date.now();
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  const child = spawnSync(process.execPath, [compiler, "-b"], options());
  if (child.status !== 0)
    throw new Error(`the build (tsc -b) failed:\n${firstLines(`${child.stdout}${child.stderr}`)}`);
  const lean = spawnSync(process.execPath, [join(root, "scripts", "lean.mjs")], options());
  if (lean.status !== 0)
    throw new Error(`the build (lean.mjs) failed:\n${firstLines(`${lean.stdout}${lean.stderr}`)}`);
  console.log(`build: ready in ${seconds(started)}`);
}

function options() {
  return {
    cwd: root,
    encoding: "utf8",
    env: childEnvironment,
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1 << 26,
  };
}

/** The cause stands first: npm prints its whole manual after an error, the compiler every error that follows from one. */
function firstLines(text) {
  return text.trim().split("\n").slice(0, 15).join("\n");
}

function seconds(started) {
  return `${((Date.now() - started) / 1000).toFixed(1)} s`;
}
