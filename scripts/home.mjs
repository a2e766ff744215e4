#!/usr/bin/env node
// Where the project lives, written into the manifest of every package: repository, homepage, bugs. The workspace does not
// know its public address, and an invented one would mislead, so the packages cannot be published before this has run.
//   node scripts/home.mjs https://github.com/OWNER/NAME
//   node scripts/home.mjs --check [FOLDER_OF_A_PACKAGE]   (prepublishOnly; npm runs it in the package's folder)
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const packages = join(dirname(fileURLToPath(import.meta.url)), "..", "packages");
const [word, folder = "."] = process.argv.slice(2);

if (word === "--check") check(resolve(folder));
else if (/^https:\/\/[^/]+\/[^?#]*[^/?#]$/.test(word ?? ""))
  for (const name of readdirSync(packages)) write(name, word);
else fail("the address of the repository is needed: node scripts/home.mjs https://github.com/OWNER/NAME");

function write(name, address) {
  const file = join(packages, name, "package.json");
  const { repository, homepage, bugs, ...manifest } = JSON.parse(readFileSync(file, "utf8"));
  const home = {
    homepage: `${address}/tree/main/packages/${name}#readme`,
    repository: { type: "git", url: `git+${address}.git`, directory: `packages/${name}` },
    bugs: { url: `${address}/issues` },
  };
  const entries = Object.entries(manifest);
  const place = entries.findIndex(([key]) => key === "license");
  const all = [...entries.slice(0, place), ...Object.entries(home), ...entries.slice(place)];
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(all), null, 2)}\n`);
}

function check(directory) {
  const { name, repository } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
  if (!repository?.url)
    fail(`${name} has no repository yet. Run node scripts/home.mjs with its address, then publish.`);
}

function fail(sentence) {
  console.error(`home: ${sentence}`);
  process.exit(2);
}
