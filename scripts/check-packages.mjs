#!/usr/bin/env node
// The packages as npm and compilers see them: publint on the manifests, "are the types wrong?" on the entries. Reads the
// build that lies in dist; asks no registry. Part of `npm run check`.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkPackage, Package } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const always = ["package.json", "README.md", "LICENSE"];

/** What every manifest states; npm's page of a package is made of it. */
const fields = ["description", "keywords", "license", "type", "engines", "files", "exports", "publishConfig"];

/**
 * Findings that are meant. The packages are ES modules only: resolution by TypeScript's "node10" knows no `exports`, and
 * CommonJS gets them by `require` of an ES module, which Node has from 20.19 on.
 */
const meant = ({ kind, resolutionKind }) => resolutionKind === "node10" || kind === "CJSResolvesToESM";

const problems = [];
const names = readdirSync(join(root, "packages"));
for (const name of names) {
  const folder = join(root, "packages", name);
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  for (const field of fields) {
    if (manifest[field] === undefined) problems.push(`${name}: package.json has no ${field}`);
  }
  const files = publishedFiles(folder, manifest);
  const { messages } = await publint({
    pkgDir: "/package",
    strict: true,
    pack: { files: asFiles(folder, files) },
  });
  for (const message of messages) problems.push(`${name}: publint: ${formatMessage(message, manifest)}`);
  const contents = files.map((file) => [
    `/node_modules/${manifest.name}/${file}`,
    readFileSync(join(folder, file), "utf8"),
  ]);
  const analysis = await checkPackage(
    new Package(Object.fromEntries(contents), manifest.name, manifest.version),
  );
  if (!analysis.types) problems.push(`${name}: are the types wrong? It finds no types at all.`);
  for (const problem of analysis.problems ?? []) {
    if (!meant(problem)) problems.push(`${name}: are the types wrong? ${JSON.stringify(problem)}`);
  }
}
for (const problem of problems) console.error(problem);
console.log(
  problems.length ? `packages: problems: ${problems.length}` : `packages: ${names.join(", ")} are right`,
);
process.exit(problems.length ? 1 : 0);

/** The files that `npm pack` takes: those named by `files`, and what npm always adds. */
function publishedFiles(folder, { files }) {
  const wanted = files.filter((file) => !file.startsWith("!"));
  const unwanted = new Set(files.filter((file) => file.startsWith("!")).map((file) => file.slice(1)));
  const listed = wanted.flatMap((name) =>
    readdirSync(join(folder, name), { recursive: true }).map((file) =>
      join(name, file).replaceAll("\\", "/"),
    ),
  );
  const present = always.filter((file) => readdirSync(folder).includes(file));
  return [...present, ...listed].filter(
    (file) => !unwanted.has(file) && statSync(join(folder, file)).isFile(),
  );
}

function asFiles(folder, files) {
  return files.map((file) => ({ name: `/package/${file}`, data: readFileSync(join(folder, file)) }));
}
