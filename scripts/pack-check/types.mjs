/** The declarations, compiled by the oldest and the newest TypeScript, with nothing installed but the packages. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { root, run, tool } from "./project.mjs";
import { row } from "./rows.mjs";

const sources = join(dirname(fileURLToPath(import.meta.url)), "sources");
const compilers = { 5.9: "5.9.3", 7: "7.0.2" };
const modes = { nodenext: "nodenext", bundler: "esnext" };

/** A row for every compiler, resolution and library of globals. */
export async function checkTypes(project, example) {
  const folder = join(project, "types");
  mkdirSync(folder, { recursive: true });
  cpSync(sources, folder, { recursive: true });
  writeFileSync(join(folder, "readme.ts"), example);
  for (const [name, version] of Object.entries(compilers)) {
    for (const mode of Object.keys(modes)) {
      for (const dom of [true, false]) {
        await row("types", `TypeScript ${name}, ${mode}, ${dom ? "with dom" : "without dom"}`, () => {
          const compiler = join(tool("typescript", version), "bin", "tsc");
          const compile = (files, extra) => tsc(folder, compiler, mode, dom, files, extra);
          // The engine needs nothing at all; `console`, `URL` and `AbortSignal` come with dom or with Node's types.
          compile(["engine.ts"], { types: [] });
          compile(["anomaly.ts", "readme.ts"], dom ? { types: [] } : nodeTypes());
        });
      }
    }
    await row("types", `TypeScript ${name}, members of device.gpu`, () => {
      const compiler = join(tool("typescript", version), "bin", "tsc");
      const webgpu = join(root, "node_modules", "@webgpu", "types", "dist", "index.d.ts");
      const extra = Number(version[0]) < 6 ? [webgpu] : []; // lib.dom has WebGPU from TypeScript 6 on
      tsc(folder, compiler, "nodenext", true, ["webgpu.ts", ...extra], { types: [] });
      return extra.length ? "by @webgpu/types" : "by lib dom";
    });
  }
}

function nodeTypes() {
  const version = JSON.parse(
    readFileSync(join(root, "node_modules", "@types", "node", "package.json")),
  ).version;
  return { types: ["node"], typeRoots: [dirname(tool("@types/node", version))] };
}

function tsc(folder, compiler, mode, dom, files, extra) {
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    verbatimModuleSyntax: true,
    module: modes[mode],
    moduleResolution: mode,
    target: "es2022",
    lib: dom ? ["es2022", "dom"] : ["es2022"],
    skipLibCheck: false,
    noEmit: true,
    ...extra,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  run(folder, process.execPath, [compiler, "-p", folder, "--pretty", "false"]);
}
