#!/usr/bin/env node
// The engine in a real browser: builds the pages of scripts/browser with Vite from the packages' build (what a user's bundler
// sees, not the sources), serves them on 127.0.0.1 and opens them in headless Chromium. One line a check.
//   npm run test:browser [-- OTHER_README.md]
// DDAD_CHROMIUM names the browser's executable; where it is unset and no Chromium is installed, nothing is tested and a line
// says so.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { bundlePages } from "./browser/bundle.mjs";
import { findChromium, launchChromium, noChromium, serveFolder } from "./chromium.mjs";
import { readExample } from "./readme.mjs";

const pages = ["smoke", "readme", "findDefects"];
const limitMilliseconds = 300_000;

const executablePath = findChromium();
if (!executablePath) {
  console.log(`test:browser skipped: ${noChromium}`);
  process.exit(0);
}

const output = mkdtempSync(join(tmpdir(), "ddad-browser-"));
let failures = 0;
try {
  await bundle(readExample(process.argv[2] && resolve(process.argv[2])));
  const server = await serveFolder(output);
  const browser = await launchChromium(executablePath);
  try {
    console.log(`Chromium ${browser.version()}`);
    for (const page of pages)
      failures += await visit(browser, `http://127.0.0.1:${server.address().port}/${page}.html`);
  } finally {
    await browser.close();
    server.close();
  }
} catch (error) {
  console.error(`test:browser: ${error.message}`);
  failures += 1;
} finally {
  rmSync(output, { recursive: true, force: true });
}
console.log(failures ? `test:browser: ${failures} failed` : "test:browser: all passed");
process.exit(failures ? 1 : 0);

/** Builds the pages, and looks at what came into them. */
async function bundle(example) {
  const modules = await bundlePages(pages, example, output);
  const nodeOnly = /node_modules[/\\](webgpu|pngjs|commander|sharp|csv-parse)[/\\]|__vite-browser-external/;
  const strays = modules.filter((module) => nodeOnly.test(module));
  if (strays.length) throw new Error(`modules made for Node alone are in the bundle: ${strays.join(", ")}`);
  const whole = modules.filter((module) => /kernels-wgsl[/\\]dist[/\\](?!lean[/\\])/.test(module));
  if (whole.length)
    throw new Error(`kernels with cases and references are in the bundle: ${whole.join(", ")}`);
}

/** Opens one page, waits for its checks and prints them; gives the number that failed. */
async function visit(browser, address) {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  // An error outside any check ends the page's script, and no check would ever follow.
  const broken = new Promise((resolve) => page.once("pageerror", resolve));
  await page.goto(address);
  const finished = page
    .waitForFunction(() => window.finished, undefined, { timeout: limitMilliseconds })
    .catch(() => undefined); // told from a finished page below
  await Promise.race([broken, finished]);
  const results = await page.evaluate(() => window.results ?? []);
  const complete = await page.evaluate(() => window.finished === true);
  for (const { name, failure, milliseconds } of results) {
    console.log(
      `${failure ? "FAILED" : "ok"}  ${name} (${Math.round(milliseconds)} ms)${failure ? `: ${failure}` : ""}`,
    );
  }
  if (!complete)
    console.log(
      `FAILED  ${address} did not finish its checks (an error outside them, or more than ${limitMilliseconds / 1000} s)`,
    );
  const failed = results.filter(({ failure }) => failure).length + (complete ? 0 : 1);
  if (failed) for (const error of errors) console.log(`  the page said: ${error}`);
  await page.close();
  return failed;
}
