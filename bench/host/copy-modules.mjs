// `node copy-modules.mjs TARGET`: copies what the project, its tests and the peers load into TARGET/node_modules and
// TARGET/peers/node_modules, without types, source maps, documents and the builds for other platforms: a tenth of what is installed.
import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const target = process.argv[2];
const platform = `${process.platform}-${process.arch}`;

/** Files that nothing loads. */
const unwanted = /\.(map|md|markdown|txt|tsbuildinfo|d\.[cm]?ts)$/i;

/** Of large packages only what is loaded here; `path` is relative to the package. */
const parts = {
  webgpu: (path) => path === "package.json" || path === "index.js" || path.startsWith(`dist/${platform}`),
  esbuild: (path) => !path.startsWith("bin/"), // a copy of what lies in @esbuild
  zod: (path) => !path.startsWith("src/"),
  lodash: (path) => !path.startsWith("fp/"),
  "onnxruntime-web": (path) =>
    /^(package\.json|dist\/ort\.node\.min\.m?js|dist\/ort-wasm-simd-threaded\.(wasm|mjs))$/.test(path),
};
const peerParts = {
  "onnxruntime-web": (path) =>
    /^(package\.json|dist\/ort\.webgpu\.bundle\.min\.mjs|dist\/ort-wasm-simd-threaded\.asyncify\.(wasm|mjs))$/.test(
      path,
    ),
  "@tensorflow/": (path) => path === "package.json" || /^dist\/[^/]*\.node\.js$/.test(path),
};

const readJson = (file) => JSON.parse(readFileSync(file, "utf8"));

/** Where Node finds a package from a folder; undefined for an optional one that is not installed. */
function findPackage(name, from) {
  const found = join(from, "node_modules", name);
  if (existsSync(join(found, "package.json"))) return found;
  return from === dirname(from) ? undefined : findPackage(name, dirname(from));
}

/** Folders of packages and of all that they depend on. */
function withDependencies(names, from, folders = new Set()) {
  for (const name of names) {
    const folder = findPackage(name, from);
    if (!folder || folders.has(folder) || /^@(types|webgpu)\//.test(name)) continue;
    folders.add(folder);
    const { dependencies, optionalDependencies } = readJson(join(folder, "package.json"));
    withDependencies(Object.keys({ ...dependencies, ...optionalDependencies }), folder, folders);
  }
  return folders;
}

function dependenciesOf(workspace) {
  const { dependencies, devDependencies } = readJson(join(root, workspace, "package.json"));
  return Object.keys({ ...dependencies, ...devDependencies });
}

function copyPackage(from, to, wantedPart = () => true) {
  const wanted = (source) => {
    const path = relative(from, source).split(sep).join("/");
    if (path === "" || path === "dist") return true;
    if (path.startsWith("node_modules") || unwanted.test(path)) return false; // dependencies are copied by themselves
    return wantedPart(path);
  };
  cpSync(from, to, { recursive: true, dereference: true, filter: wanted });
}

/** Copies folders of packages to the same places below `to`, of those that `rules` names only a part; how many. */
function copyPackages(folders, base, to, rules) {
  const inside = [...folders].filter((folder) => folder.startsWith(base + sep)); // the peers find the project's own too
  for (const folder of inside) {
    const path = relative(base, folder);
    const name = path.split(`node_modules${sep}`).at(-1).split(sep).join("/");
    const rule = Object.keys(rules).find(
      (start) => name === start || (start.endsWith("/") && name.startsWith(start)),
    );
    copyPackage(folder, join(to, path), rules[rule]);
  }
  return inside.length;
}

const own = new Set();
for (const workspace of [...readdirSync(join(root, "packages")).map((name) => `packages/${name}`), "bench"]) {
  const names = dependenciesOf(workspace).filter((name) => !name.startsWith("@ddad/"));
  withDependencies(names, join(root, workspace), own);
}
withDependencies(["mocha", "chai", "tsx"], root, own); // what runs the tests
console.log(`pack: ${copyPackages(own, root, target, parts)} packages`);

const peersFolder = join(root, "bench/peers");
if (existsSync(join(peersFolder, "node_modules"))) {
  const names = dependenciesOf("bench/peers").filter((name) => name !== "webgpu"); // the project's own, of the same version
  const count = copyPackages(
    withDependencies(names, peersFolder),
    peersFolder,
    join(target, "peers"),
    peerParts,
  );
  console.log(`pack: ${count} packages of the peers`);
} else {
  console.log("pack: the peers are not installed (npm ci --prefix bench/peers) and stay here");
}
