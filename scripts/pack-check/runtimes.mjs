/** The packed packages in every runtime that has no browser: with an adapter, and where Dawn's binary cannot be loaded. */
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, tool } from "./project.mjs";
import { row, Skip } from "./rows.mjs";

const nodes = ["20.19.5", "22.23.3", "24.22.3"];
const denoPackages = {
  "linux-x64": "linux-x64-glibc",
  "linux-arm64": "linux-arm64-glibc",
  "darwin-x64": "darwin-x64",
  "darwin-arm64": "darwin-arm64",
};
const bunPackages = {
  "linux-x64": "bun-linux-x64",
  "linux-arm64": "bun-linux-aarch64",
  "darwin-x64": "bun-darwin-x64",
  "darwin-arm64": "bun-darwin-aarch64",
};
const platform = `${process.platform}-${process.arch}`;

const engine = `import * as nn from "@ddad/nn";
import { auroc } from "@ddad/ddad";
const device = await nn.setupDevice();
const x = nn.tensor([1, 2, 3]);
const loss = x.mul(x).add(x).sum();
const [gradient] = nn.grad(loss, [x]);
const got = [await loss.item(), ...(await gradient.data()), auroc([true, false], [1, 0])].join(" ");
if (got !== "20 3 5 7 1") throw new Error("got " + got + " instead of 20 3 5 7 1");
device.destroy();
`;

/** Without Dawn everything that needs no GPU works, and setupDevice says in one sentence what is missing. */
const withoutDawn = `import * as nn from "@ddad/nn";
import * as ddad from "@ddad/ddad";
import "@ddad/node";
import "@ddad/tensor";
import "@ddad/kernels-wgsl";
if (ddad.auroc([true, false], [1, 0]) !== 1) throw new Error("auroc is wrong");
const bytes = nn.writeSafetensors(new Map([["a", { shape: [2], dtype: "f32", data: Float32Array.of(1, 2) }]]));
const read = nn.readSafetensors(bytes);
if (!read) throw new Error("a checkpoint cannot be read");
const error = await nn.setupDevice().then(() => undefined, (reason) => reason);
if (!error) throw new Error("setupDevice found an adapter without Dawn");
if (!/^setupDevice: .*webgpu/s.test(error.message) || /\\n\\s*at |Require stack/.test(error.message))
  throw new Error("setupDevice says: " + error.message);
console.log(error.name + ": " + error.message);
`;

/** A row for every runtime, and one for each way in which Dawn can be missing. */
export async function checkRuntimes(project, work, example) {
  writeFileSync(join(project, "engine.mjs"), engine);
  writeFileSync(join(project, "example.mjs"), example); // the README's example uses no types of its own
  const both = (program, ...words) => {
    run(project, program, [...words, "engine.mjs"]);
    const printed = run(project, program, [...words, "example.mjs"]);
    if (/NaN/.test(printed) || !/^mean squared error: [\d.]+ /m.test(printed))
      throw new Error(`the README's example printed:\n${printed}`);
  };
  await row("runtimes", `Node ${process.versions.node} (this one)`, () => both(process.execPath));
  for (const version of nodes) {
    if (version === process.versions.node) continue;
    await row("runtimes", `Node ${version}`, () => {
      const name = `node-${process.platform === "win32" ? `win-${process.arch}` : platform}`;
      both(join(tool(name, version), "bin", process.platform === "win32" ? "node.exe" : "node"));
    });
  }
  await row("runtimes", "Bun 1.4.5", () => {
    both(join(tool(`@oven/${packageFor(bunPackages)}`, "1.4.5"), "bin", "bun"));
  });
  await row("runtimes", "Deno 2.9.6", () => {
    both(join(tool(`@deno/${packageFor(denoPackages)}`, "2.9.6"), "deno"), "run", "--allow-all");
  });
  const missing = [
    ["package webgpu absent", (dawn) => rmSync(dawn, { recursive: true })],
    ["binary of webgpu absent", (dawn) => rmSync(binaryOf(dawn))],
    ["binary of webgpu unloadable", (dawn) => writeFileSync(binaryOf(dawn), "no library")],
  ];
  for (const [name, spoil] of missing) {
    await row("runtimes", `Node, ${name}`, () =>
      checkWithout(project, join(work, name.replaceAll(" ", "-")), spoil),
    );
  }
}

function packageFor(table) {
  const name = table[platform];
  if (!name) throw new Skip(`no package for ${platform} is known here`);
  return name;
}

/** Copies the project, all but Dawn's binaries for other platforms, spoils Dawn and looks at what is left. */
function checkWithout(project, folder, spoil) {
  mkdirSync(folder);
  cpSync(join(project, "package.json"), join(folder, "package.json"));
  cpSync(join(project, "node_modules"), join(folder, "node_modules"), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) =>
      !/[/\\]webgpu[/\\]dist[/\\](?!linux-x64|linux-arm64)[^/\\]+$|\.bin$/.test(path) ||
      path.endsWith(platform),
  });
  spoil(join(folder, "node_modules", "webgpu"));
  writeFileSync(join(folder, "without.mjs"), withoutDawn);
  try {
    return run(folder, process.execPath, ["without.mjs"], { milliseconds: 120_000 }).trim();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function binaryOf(dawn) {
  const folder = process.platform === "darwin" ? "darwin-universal" : platform;
  const file = join(dawn, "dist", folder, "dawn.node");
  if (!existsSync(file)) throw new Skip(`${file} does not exist, so it cannot be taken away`);
  return file;
}
