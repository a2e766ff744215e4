#!/usr/bin/env node
// What a user gets: packs the packages, installs the tarballs in an empty project elsewhere and tries them there, a row a
// combination. Needs a build and a registry; compilers, bundlers and runtimes are fetched once and kept in
// the system's folder for temporary files (ddad-pack-check). A combination that cannot be had here is skipped and says why.
//   npm run pack:check [-- [contents] [types] [bundlers] [runtimes] [OTHER_README.md]]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { checkBundlers } from "./pack-check/bundlers.mjs";
import { checkContents } from "./pack-check/contents.mjs";
import { lockedVersion, makeProject, packAll } from "./pack-check/project.mjs";
import { finish, row } from "./pack-check/rows.mjs";
import { checkRuntimes } from "./pack-check/runtimes.mjs";
import { checkTypes } from "./pack-check/types.mjs";
import { readExample } from "./readme.mjs";

const parts = ["contents", "types", "bundlers", "runtimes"];
const words = process.argv.slice(2);
const readme = words.find((word) => word.endsWith(".md"));
const asked = words.filter((word) => word !== readme);
const unknown = asked.filter((word) => !parts.includes(word));
if (unknown.length) {
  console.error(`pack-check: there is no part ${unknown.join(", ")}; parts are ${parts.join(", ")}.`);
  process.exit(2);
}
const chosen = asked.length ? asked : parts;

const work = mkdtempSync(join(tmpdir(), "ddad-pack-"));
try {
  const example = readExample(readme && resolve(readme));
  const tarballs = packAll(join(work, "tarballs"));
  if (chosen.includes("contents")) await checkContents(tarballs);
  // Two projects: declarations and pages see nothing but the packages, Node needs Dawn, which is the user's to install.
  const bare = join(work, "bare");
  if (chosen.includes("types") || chosen.includes("bundlers")) {
    await row("install", "the tarballs in an empty project", () => makeProject(bare, tarballs));
  }
  if (chosen.includes("types")) await checkTypes(bare, example);
  if (chosen.includes("bundlers")) await checkBundlers(bare, example);
  if (chosen.includes("runtimes")) {
    const dawn = `webgpu@${lockedVersion("webgpu")}`;
    const node = join(work, "node");
    await row("install", "the tarballs with webgpu", () => makeProject(node, [...tarballs, dawn]));
    await checkRuntimes(node, work, example);
  }
} catch (error) {
  console.error(`pack-check: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.exit(finish() || process.exitCode);
