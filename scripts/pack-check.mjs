#!/usr/bin/env node
// What a user gets: packs the four packages, installs the tarballs in an empty project elsewhere, type-checks the README's
// example there under `strict` and runs it. Needs a build, and a registry for the packages' own dependencies.
//   npm run pack:check [-- OTHER_README.md]
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { childEnvironment } from "./driver.mjs";
import { readExample } from "./readme.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
const work = mkdtempSync(join(tmpdir(), "ddad-pack-"));
const tarballs = join(work, "tarballs");
const project = join(work, "project");

try {
  const example = readExample(process.argv[2] && resolve(process.argv[2]));
  mkdirSync(tarballs);
  mkdirSync(project);

  const names = readdirSync(join(root, "packages"));
  npm(
    root,
    "pack",
    "--pack-destination",
    tarballs,
    ...names.flatMap((name) => ["--workspace", `packages/${name}`]),
  );
  const files = readdirSync(tarballs).map((file) => join(tarballs, file));
  if (files.length !== names.length)
    throw new Error(`npm pack made ${files.length} tarballs of ${names.length} packages.`);
  for (const file of files) checkContents(file);

  write("package.json", JSON.stringify({ name: "empty", private: true, type: "module" }));
  npm(project, "install", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error", ...files);
  console.log(`installed ${files.length} tarballs in an empty project`);

  write("example.ts", example);
  // Libraries' own types are checked as well: what does not compile here does not compile at the user's.
  const options = {
    strict: true,
    module: "nodenext",
    target: "es2023",
    skipLibCheck: false,
    types: [],
    outDir: "out",
  };
  write("tsconfig.json", JSON.stringify({ compilerOptions: options, files: ["example.ts"] }));
  run(project, process.execPath, [compiler, "-p", project]);
  console.log("the README's example type-checks (strict, nodenext, libraries' types included)");

  process.stdout.write(run(project, process.execPath, ["out/example.js"]));
  console.log("the README's example runs in Node");
} catch (error) {
  console.error(`pack-check: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** A tarball must hold the licence, the build and its types, and nothing made for this workspace alone. */
function checkContents(tarball) {
  const entries = run(work, "tar", ["-tzf", tarball]).trim().split("\n");
  const strays = entries.filter((entry) => /\.tsbuildinfo$|\/test\/|\/node_modules\/|\/runs\//.test(entry));
  if (strays.length) throw new Error(`${tarball} holds files that no user needs: ${strays.join(", ")}`);
  for (const needed of ["package/dist/index.js", "package/dist/index.d.ts", "package/LICENSE"]) {
    if (!entries.includes(needed)) throw new Error(`${tarball} lacks ${needed}.`);
  }
}

function write(file, text) {
  writeFileSync(join(project, file), text);
}

function npm(folder, ...words) {
  const own = process.env.npm_execpath;
  return own ? run(folder, process.execPath, [own, ...words]) : run(folder, "npm", words);
}

function run(folder, program, words) {
  // Inside `npm run`, npm's own variables name this workspace; the empty project must not inherit them.
  const environment = Object.entries(childEnvironment).filter(
    ([name]) => !/^npm_(package|lifecycle|config_local_prefix)/.test(name),
  );
  const child = spawnSync(program, words, {
    cwd: folder,
    encoding: "utf8",
    env: Object.fromEntries(environment),
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1 << 26,
    timeout: 600_000,
  });
  if (child.status === 0) return child.stdout;
  const reason = child.error ?? child.signal ?? `exit code ${child.status}`;
  throw new Error(
    `${[program, ...words.slice(0, 4)].join(" ")} failed (${reason}):\n${child.stdout}${child.stderr}`,
  );
}
