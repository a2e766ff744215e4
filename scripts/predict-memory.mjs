/**
 * Peak memory of `ddad predict` on many images. Trains a tiny model, draws small images, and inspects each number of them in a
 * process of its own:
 *
 *     node scripts/predict-memory.mjs 1000 5000
 *     node scripts/predict-memory.mjs 300 1000 --full     # with overlays and maps
 *
 * Ends with exit code 1 where the last peak is more than 1.5 times the first.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { PNG } from "pngjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const main = join(root, "packages/cli/src/main.ts");
const words = process.argv.slice(2);
const full = words.includes("--full");
const counts = words.filter((word) => word !== "--full").map(Number);
if (counts.length === 0 || counts.some((count) => !(Number.isInteger(count) && count > 0))) {
  console.error("Give the numbers of images, such as: node scripts/predict-memory.mjs 1000 5000");
  process.exit(2);
}

/** Prints the process's own peak when it ends. Linux counts the parent's into `maxRSS`, as it was when the process was started. */
const reporter = `data:text/javascript,${encodeURIComponent(`
  import { readFileSync } from "node:fs";
  process.on("exit", () => {
    const [, peak] = /VmHWM:\\s*(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"));
    process.stderr.write("peak " + peak + "\\n");
  });`)}`;

/** Runs the command line from source. @returns peak in MB */
function ddad(...args) {
  return new Promise((resolve, reject) => {
    const node = ["--conditions=@ddad/source", "--import", "tsx", "--import", reporter, main, ...args];
    const child = spawn(process.execPath, node, { cwd: root, stdio: ["ignore", "ignore", "pipe"] });
    let errors = "";
    child.stderr.on("data", (text) => {
      errors = (errors + text).slice(-20_000);
    });
    child.on("close", (code) => {
      const peak = /^peak (\d+)$/m.exec(errors);
      if (code === 0 && peak) resolve(Number(peak[1]) / 1024);
      else reject(new Error(`ddad ${args[0]} ended with exit code ${code}:\n${errors}`));
    });
  });
}

/** Images with a diagonal ramp and some grain, each another one. Waits now and then, or what is to be freed would pile up. */
async function drawImages(folder, count) {
  mkdirSync(folder, { recursive: true });
  const side = 24;
  for (let k = 0; k < count; k++) {
    const png = new PNG({ width: side, height: side });
    for (let i = 0; i < side * side; i++) {
      const value = 60 + 3 * ((i % side) + Math.floor(i / side)) + ((i * 7919 + k * 104729) % 40);
      png.data.set([value, value, 255 - value, 255], i * 4);
    }
    writeFileSync(join(folder, `${String(k).padStart(6, "0")}.png`), PNG.sync.write(png, { filterType: 0 }));
    if (k % 100 === 0) await setImmediate();
  }
}

const settings = [
  ...["data.imageSize=16", "data.heldOut=0.3", "model.baseChannels=32", "model.heads=1"],
  ...["model.channelMultipliers=[1]", "model.blocksPerLevel=1", "training.batchSize=2", "training.steps=2"],
  ...["sampling.start=50", "sampling.stride=50"],
].flatMap((setting) => ["--set", setting]);

const folder = mkdtempSync(join(tmpdir(), "ddad-memory-"));
try {
  await drawImages(join(folder, "good"), 16);
  const run = join(folder, "run");
  await ddad("train", "--data", join(folder, "good"), ...settings, "--out", run);
  const peaks = [];
  for (const count of counts) {
    const images = join(folder, `images-${count}`);
    await drawImages(images, count);
    const started = performance.now();
    const out = [
      "--out",
      join(folder, `out-${count}`),
      ...(full ? [] : ["--overlay-size", "0", "--no-maps"]),
    ];
    const peak = await ddad("predict", images, "--checkpoint", run, ...out);
    peaks.push(peak);
    const seconds = (performance.now() - started) / 1000;
    console.log(`${count} images: peak RSS ${peak.toFixed(0)} MB, ${seconds.toFixed(0)} s`);
    rmSync(images, { recursive: true });
  }
  const factor = peaks.at(-1) / peaks[0];
  if (peaks.length > 1) console.log(`${factor.toFixed(2)} times the first`);
  if (factor > 1.5) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
