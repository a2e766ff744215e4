/** Production builds by the usual bundlers, each run in a real browser: what works in development must survive them. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { findChromium, launchChromium, noChromium, serveFolder } from "../chromium.mjs";
import { tool } from "./project.mjs";
import { row, Skip } from "./rows.mjs";

const sources = join(dirname(fileURLToPath(import.meta.url)), "pages");
const pages = ["namespace", "named", "tensors", "layers"];

/** Bytes of the README's example, gzipped: the promise of the package. */
const exampleLimit = 90_000;

const bundlers = [
  { name: "Vite 8", build: (entry, out) => vite("8.4.0", entry, out) },
  { name: "Vite 7", build: (entry, out) => vite("7.3.8", entry, out) },
  { name: "esbuild", build: esbuild },
  { name: "webpack 5", build: webpack },
];

/** A row for every bundler and page. */
export async function checkBundlers(project, example) {
  const folder = join(project, "pages");
  mkdirSync(folder, { recursive: true });
  cpSync(sources, folder, { recursive: true });
  writeFileSync(join(folder, "layers.js"), examplePage(example));
  for (const page of pages) {
    // In a folder of its own, because some bundlers take the entry's folder as the root of all there is.
    mkdirSync(join(folder, page));
    writeFileSync(join(folder, page, "main.js"), mainModule(page));
    writeFileSync(join(folder, page, "index.html"), html("./main.js"));
  }
  const executable = findChromium();
  const browser = executable && (await launchChromium(executable));
  const server = await serveFolder(folder);
  try {
    for (const bundler of bundlers) {
      for (const page of pages) {
        await row("bundlers", `${bundler.name}, ${page}`, async () => {
          const out = `out-${bundler.name.replace(" ", "-")}-${page}`;
          await bundler.build(join(folder, page, "main.js"), join(folder, out));
          const bytes = checkFiles(join(folder, out), page);
          if (!browser) throw new Skip(`built (${kilobytes(bytes)}), not run: ${noChromium}`);
          await visit(browser, `http://127.0.0.1:${server.address().port}/${out}/index.html`);
          return `${kilobytes(bytes)} gzipped`;
        });
      }
    }
  } finally {
    await browser?.close();
    server.close();
  }
}

/** The README's example prints; here its last line is looked at. */
function examplePage(example) {
  const [imports, body] = [/^import .*$/gm, /^(?!import ).*$/gm].map((lines) =>
    example.match(lines).join("\n"),
  );
  return `${imports}
export async function work() {
  const lines = [];
  const console = { log: (line) => lines.push(line) };
${body}
  return lines.map((line) => typeof line === "string" && /\\d/.test(line) && !/NaN|Infinity/.test(line));
}
export const expected = Array(21).fill(true);
`;
}

const mainModule = (page) => `import { expected, work } from "../${page}.js";
try {
  const got = await work();
  const same = got.length === expected.length && got.every((value, i) => Math.abs(value - expected[i]) < 1e-4);
  globalThis.outcome = same ? "right" : "got " + JSON.stringify(got) + " instead of " + JSON.stringify(expected);
} catch (error) {
  globalThis.outcome = String(error?.stack ?? error);
}
`;

const html = (script) =>
  `<!doctype html><html lang="en"><title>check</title><script type="module" src="${script}"></script></html>\n`;

/** Gives the gzipped size of a build's scripts; refuses a build that holds what is Node's alone, or is too large. */
function checkFiles(out, page) {
  const scripts = readdirSync(out, { recursive: true }).filter((file) => file.endsWith(".js"));
  const texts = scripts.map((file) => readFileSync(join(out, file), "utf8"));
  const stray = texts.join("\n").match(/dawn\.node|createRequire|from\s*["']node:[a-z/]+["']/);
  if (stray) throw new Error(`The bundle holds ${stray[0]}, which is Node's alone.`);
  const bytes = texts.reduce((sum, text) => sum + gzipSync(text, { level: 9 }).length, 0);
  if (page === "layers" && bytes > exampleLimit)
    throw new Error(
      `The README's example is ${kilobytes(bytes)} gzipped; at most ${kilobytes(exampleLimit)}.`,
    );
  return bytes;
}

const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;

async function visit(browser, address) {
  const page = await browser.newPage();
  try {
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    const broken = new Promise((resolve) => page.once("pageerror", resolve));
    await page.goto(address);
    const done = page.waitForFunction(() => globalThis.outcome, undefined, { timeout: 240_000 });
    await Promise.race([done, broken]).catch((error) => errors.push(error.message));
    const outcome = await page.evaluate(() => globalThis.outcome);
    if (outcome !== "right") throw new Error([outcome, ...errors].filter(Boolean).join("\n"));
  } finally {
    await page.close();
  }
}

async function vite(version, entry, out) {
  const { build } = await import(pathToFileURL(join(tool("vite", version), "dist", "node", "index.js")).href);
  await build({
    root: dirname(entry),
    base: "./",
    configFile: false,
    logLevel: "error",
    build: { outDir: out, emptyOutDir: true, target: "esnext", chunkSizeWarningLimit: 10_000 },
  });
}

async function esbuild(entry, out) {
  const { build } = load(tool("esbuild", "0.28.2"));
  await build({
    entryPoints: [entry],
    outfile: join(out, "main.js"),
    bundle: true,
    minify: true,
    format: "esm",
    target: "esnext",
    logLevel: "silent",
  });
  writeFileSync(join(out, "index.html"), html("./main.js"));
}

async function webpack(entry, out) {
  const compile = load(tool("webpack", "5.113.0"));
  const compiler = compile({
    mode: "production",
    context: dirname(entry),
    entry,
    output: { path: out, filename: "main.js" },
    performance: { hints: false },
  });
  const stats = await new Promise((resolve, reject) =>
    compiler.run((error, result) => (error ? reject(error) : resolve(result))),
  );
  await new Promise((resolve) => compiler.close(resolve));
  if (stats.hasErrors()) throw new Error(stats.toString({ all: false, errors: true }));
  if (!existsSync(join(out, "main.js"))) throw new Error("webpack wrote no main.js.");
  writeFileSync(join(out, "index.html"), html("./main.js"));
}

/** A tool's main module, which is CommonJS. */
const load = (folder) => createRequire(join(folder, "package.json"))(folder);
