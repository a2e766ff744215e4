#!/usr/bin/env node
// The architecture as a table: which floor may import which. The compiler sees none of these rules: an import upwards, an
// import round in a circle, a module of Node's that a browser would have to load.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const floors = {
  "kernels-wgsl": [],
  tensor: ["kernels-wgsl"],
  nn: ["tensor"],
  ddad: ["nn"],
  node: ["nn", "ddad"],
  cli: ["nn", "ddad", "node"],
};

/** Packages for Node alone: their entries need not run in a browser. */
const nodePackages = ["node", "cli"];

/** What no browser can load. */
const nodeOnly = /^(node:.*|webgpu|pngjs|sharp|yaml|csv-parse.*|commander|@ddad\/(node|cli)(\/.*)?)$/;

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const problems = new Set();

for (const [floor, below] of Object.entries(floors)) {
  const source = join(root, "packages", floor, "src");
  const files = readdirSync(source, { recursive: true }).filter((file) => file.endsWith(".ts"));
  const graph = new Map(files.map((file) => [join(source, file), readImports(join(source, file))]));
  for (const [file, imports] of graph) {
    for (const { to } of imports) checkDirection(file, to, floor, below, source, graph);
  }
  checkCycles(graph, ({ runs, lazy }) => runs && !lazy);
  // Settings are read from top to bottom: there not even types go round in a circle.
  const settings = new Map([...graph].filter(([file]) => file.startsWith(join(source, "config", sep))));
  checkCycles(settings, () => true);
  if (!nodePackages.includes(floor)) for (const entry of browserEntries(floor)) checkBrowser(entry, graph);
  if (floor === "ddad" || floor === "node") for (const file of graph.keys()) checkTerminal(file);
}

checkInternal();

for (const problem of problems) console.error(problem);
console.log(problems.size ? `imports: rules broken: ${problems.size}` : "imports: every rule holds");
process.exit(problems.size ? 1 : 0);

/** Below the command line the program prints nothing, ends no process and reads no arguments. */
function checkTerminal(file) {
  const code = readFileSync(file, "utf8").replace(/^ *(\*|\/\/|\/\*\*).*$/gm, "");
  const found = code.match(/process\.(stdout|stderr|stdin|exitCode|exit\b|argv)|console\.\w+/);
  if (found) problems.add(`${name(file)} uses ${found[0]}: only @ddad/cli speaks to a terminal`);
}

/** The sources of a package's entries, as `exports` names them. */
function browserEntries(floor) {
  const folder = join(root, "packages", floor);
  const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const entries = Object.entries(exports);
  for (const [path, conditions] of entries) {
    if (!existsSync(join(folder, conditions["@ddad/source"])))
      problems.add(`@ddad/${floor}: the source of the entry ${path} does not exist`);
  }
  return entries.map(([, conditions]) => join(folder, conditions["@ddad/source"]));
}

/** Every import of a file: `runs` when it is there at run time (no `import type`), `lazy` when it is an `import()`. */
function readImports(file) {
  const text = readFileSync(file, "utf8");
  const statement = /^(?:import|export)\s+(type\s+)?(?:[\w$*{},\s]+?\s+from\s+)?["']([^"'\n]+)["']/gm;
  const call = /\bimport\(\s*["']([^"'\n]+)["']/g;
  const absolute = (to) => (to.startsWith(".") ? join(dirname(file), to) : to);
  return [
    ...[...text.matchAll(statement)].map(([, type, to]) => ({ to: absolute(to), runs: !type, lazy: false })),
    ...[...text.matchAll(call)].map(([, to]) => ({ to: absolute(to), runs: true, lazy: true })),
  ];
}

function checkDirection(file, to, floor, below, source, graph) {
  const sibling = to.match(/^@ddad\/([^/]+)/)?.[1];
  if (sibling && !below.includes(sibling)) {
    const allowed = below.map((name) => `@ddad/${name}`).join(", ") || "no other package";
    problems.add(
      `${name(file)} imports ${to}: @ddad/${floor} stands on ${allowed} and may import nothing else of @ddad`,
    );
  }
  if (!to.startsWith(root)) return;
  if (!to.startsWith(source + sep)) {
    problems.add(`${name(file)} imports ${name(to)}: a relative import stays inside its own package's src`);
  } else if (!graph.has(to) && !existsSync(to)) {
    problems.add(
      `${name(file)} imports ${name(to)}, which does not exist (relative imports carry the ending .ts)`,
    );
  }
}

/** Depth-first search that remembers the way: a file met again on its own way closes a circle. @param counts which imports */
function checkCycles(graph, counts) {
  const finished = new Set();
  const visit = (file, way) => {
    const start = way.indexOf(file);
    if (start >= 0)
      return problems.add(`imports in a circle: ${[...way.slice(start), file].map(name).join(" → ")}`);
    if (finished.has(file)) return;
    for (const imported of graph.get(file) ?? []) if (counts(imported)) visit(imported.to, [...way, file]);
    finished.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
}

/** An entry and all it loads must run in a browser; . */
function checkBrowser(entry, graph) {
  const reached = new Map([[entry, [entry]]]); // the map grows while it is walked
  for (const [file, way] of reached) {
    for (const { to, runs, lazy } of graph.get(file) ?? []) {
      if (!runs || lazy) continue;
      if (nodeOnly.test(to)) {
        problems.add(
          `${name(file)} imports ${to}, and the main entry loads it (${way.map(name).join(" → ")}): browsers cannot`,
        );
      }
      if (graph.has(to) && !reached.has(to)) reached.set(to, [...way, to]);
    }
  }
}

/** What users copy must not use what is not promised: no example but a test imports an `/internal` entry. */
function checkInternal() {
  const examples = join(root, "examples");
  const files = readdirSync(examples, { recursive: true }).filter((file) => /(?<!\.test)\.ts$/.test(file));
  for (const file of files
    .map((path) => join(examples, path))
    .filter((path) => !path.includes("node_modules"))) {
    for (const { to } of readImports(file)) {
      if (/^@ddad\/[^/]+\/internal$/.test(to))
        problems.add(`${name(file)} imports ${to}: examples show what users may use`);
    }
  }
}

function name(file) {
  return relative(root, file);
}
