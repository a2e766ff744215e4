/** An empty project elsewhere with the packed packages in it, and the tools that try it. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { childEnvironment } from "../driver.mjs";
import { Skip } from "./rows.mjs";

/** The workspace. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** Folders of the packages that are published. */
export const packageNames = readdirSync(join(root, "packages"));

const cache = join(tmpdir(), "ddad-pack-check");

// Inside `npm run`, npm's own variables name this workspace; the empty project must not inherit them.
const environment = Object.fromEntries(
  Object.entries(childEnvironment).filter(
    ([name]) => !/^npm_(package|lifecycle|config_local_prefix)/.test(name),
  ),
);

/**
 * Runs a program in a folder and gives what it printed to standard output.
 * @throws Error with all that it printed, where it does not end with 0
 */
export function run(folder, program, words, { milliseconds = 600_000 } = {}) {
  const child = spawnSync(program, words, {
    cwd: folder,
    encoding: "utf8",
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1 << 26,
    timeout: milliseconds,
  });
  if (child.status === 0) return child.stdout;
  const reason = child.error?.message ?? child.signal ?? `exit code ${child.status}`;
  const command = [basename(program), ...words.slice(0, 4)].join(" ");
  throw new Error(`${command} failed (${reason}):\n${child.stdout ?? ""}${child.stderr ?? ""}`);
}

/** Runs npm in a folder. */
export function npm(folder, ...words) {
  const own = process.env.npm_execpath;
  const isNpm = own && basename(own).startsWith("npm");
  return isNpm ? run(folder, process.execPath, [own, ...words]) : run(folder, "npm", words);
}

/** Packs every package into `folder`; gives the tarballs' paths in the order of {@link packageNames}. */
export function packAll(folder) {
  mkdirSync(folder, { recursive: true });
  const workspaces = packageNames.flatMap((name) => ["--workspace", `packages/${name}`]);
  npm(root, "pack", "--pack-destination", folder, ...workspaces);
  const files = readdirSync(folder);
  return packageNames.map((name) => {
    const tarball = files.find((file) => file.startsWith(`ddad-${name}-`));
    if (!tarball) throw new Error(`npm pack made no tarball of ${name}.`);
    return join(folder, tarball);
  });
}

/** Installs packages (tarballs or specifiers) in a new empty project at `folder`. */
export function makeProject(folder, packages) {
  mkdirSync(folder, { recursive: true });
  const manifest = { name: "empty", private: true, type: "module" };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  npm(folder, "install", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error", ...packages);
}

/**
 * The folder of a tool of exactly this version. Fetched from the registry the first time and kept in the system's folder for
 * temporary files; nothing of it runs while it is installed.
 * @throws Skip where it cannot be had
 */
export function tool(name, version) {
  const folder = join(cache, `${name.replace("/", "+")}@${version}`);
  const installed = join(folder, "node_modules", name);
  if (existsSync(join(installed, "package.json"))) return installed;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
  try {
    npm(
      folder,
      "install",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
      `${name}@${version}`,
    );
  } catch (error) {
    const reason = error.message.match(/npm error (?!code)(.*)/)?.[1] ?? error.message.split("\n")[0];
    throw new Skip(`${name}@${version} cannot be installed here: ${reason}`);
  }
  return installed;
}

/** The version of a dependency that the workspace's lock file holds. */
export function lockedVersion(name) {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  return packages[`node_modules/${name}`].version;
}
