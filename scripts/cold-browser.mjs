#!/usr/bin/env node
// What programs cost when they are started in a browser that has never seen them: builds the page scripts/browser/coldStart.html from the
// packages' build, and opens it in headless Chromium, for each program with a profile of its own. One JSON object a line: what the page
// measured, and the processor time of the browser's processes by kind (Linux).
//   node scripts/cold-browser.mjs [--by-kernel] PROGRAM…
// `npm run bench -- --cold --browser` prints it as a table.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundlePages } from "./browser/bundle.mjs";
import { findChromium, launchChromium, noChromium, serveFolder } from "./chromium.mjs";
import { readExample } from "./readme.mjs";

const limitMilliseconds = 900_000;
const words = process.argv.slice(2);
const byKernel = words.includes("--by-kernel");
const programs = words.filter((word) => word !== "--by-kernel");

const executablePath = findChromium();
if (!executablePath) {
  console.error(`cold starts in a browser: ${noChromium}`);
  process.exit(1);
}

const output = mkdtempSync(join(tmpdir(), "ddad-cold-browser-"));
try {
  await bundlePages(["coldStart"], readExample(), output);
  const server = await serveFolder(output);
  try {
    for (const program of programs) console.log(JSON.stringify(await start(program, server.address().port)));
  } finally {
    server.close();
  }
} finally {
  rmSync(output, { recursive: true, force: true });
}

/** One program in a browser of its own: Playwright makes a new profile for each, which holds the caches of shaders, too. */
async function start(program, port) {
  const browser = await launchChromium(executablePath);
  try {
    const page = await browser.newPage();
    const marks = {};
    await page.exposeFunction("mark", (part) => {
      marks[part] = processorTime();
    });
    await page.exposeFunction("processorTime", () =>
      Object.values(processorTime()).reduce((sum, milliseconds) => sum + milliseconds, 0),
    );
    const broken = new Promise((_, reject) => page.once("pageerror", reject));
    const query = new URLSearchParams({ program, ...(byKernel && { "by-kernel": "" }) });
    await page.goto(`http://127.0.0.1:${port}/coldStart.html?${query}`);
    const finished = page.waitForFunction(() => window.finished, undefined, { timeout: limitMilliseconds });
    await Promise.race([broken, finished]);
    const { device, first, second } = marks;
    const cpu = { first: difference(device, first), ...(second && { second: difference(first, second) }) };
    return { name: program, browser: browser.version(), ...(await page.evaluate(() => window.start)), cpu };
  } finally {
    await browser.close();
  }
}

/** Milliseconds that the browser's processes have run, by kind ("gpu-process", "renderer", "browser", …). */
function processorTime() {
  const times = {};
  for (const { kind, milliseconds } of descendants()) times[kind] = (times[kind] ?? 0) + milliseconds;
  return times;
}

/** The processes that this one has started, and theirs. Empty where there is no /proc. */
function descendants() {
  let all;
  try {
    all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  const known = new Map();
  for (const id of all) {
    try {
      // The name, in parentheses, may hold spaces; after it come state, parent, …, and as 12th and 13th user and system time in ticks.
      const fields = readFileSync(`/proc/${id}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      const [, kind = "browser"] = /--type=([\w-]+)/.exec(readFileSync(`/proc/${id}/cmdline`, "utf8")) ?? [];
      known.set(id, {
        parent: fields[1],
        kind,
        milliseconds: 10 * (Number(fields[11]) + Number(fields[12])),
      });
    } catch {
      // It has ended since.
    }
  }
  const ours = new Set([String(process.pid)]);
  for (let before = 0; before < ours.size; ) {
    before = ours.size;
    for (const [id, { parent }] of known) if (ours.has(parent)) ours.add(id);
  }
  ours.delete(String(process.pid));
  return [...ours].map((id) => known.get(id));
}

function difference(before, after) {
  const entries = Object.entries(after).map(([kind, milliseconds]) => [
    kind,
    milliseconds - (before[kind] ?? 0),
  ]);
  return Object.fromEntries(entries.filter(([, milliseconds]) => milliseconds > 0));
}
