#!/usr/bin/env node
// Runs the commands that README and docs show, in this checkout, one after another, and compares each exit code with the one that is
// claimed (0, or `exit N` in the comment). Run it in a fresh clone:
//   node scripts/try-docs.mjs [FILE.md …] [--list]
// Names in capitals stand for something; here they stand for generated images and weights. Trainings are shortened by settings that are
// appended and shown. What cannot run here (no network, no CUDA, or hours) is listed with the reason.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const words = process.argv.slice(2);
const named = words.filter((word) => !word.startsWith("--"));
const documents = named.length
  ? named
  : [
      "README.md",
      "CONTRIBUTING.md",
      "bench/README.md",
      ...readdirSync(join(root, "docs")).map((file) => `docs/${file}`),
      "packages/cli/README.md",
    ];

/** Commands that do not run here, by a part of them, and why. */
const skipped = [
  [/^npm install/, "asks the registry for packages that may not be published yet"],
  [/weights fetch/, "downloads 243 MB or more from PyTorch's server"],
  [/bench\/torch\.py|torch\.json/, "needs PyTorch and CUDA"],
  [/bench\/host\//, "is for a GPU host without a network"],
  [
    /^npm run bench( -- (--kernels --variants all|--layers.*|--json .*|--cold))?$/,
    "measures for many minutes",
  ],
  [/before\.json/, "compares two measurements of many minutes"],
  [/--data DATA|ddad\.model\.safetensors/, "is for the photographs, weights and YAML of docs/results.md"],
  [/^npm test/, "is run by itself"],
];

const short = [
  "data.imageSize=32",
  // Of 24 images enough to choose settings by.
  "data.heldOut=0.25",
  "training.steps=20",
  "training.batchSize=4",
  "training.checkpointEvery=10",
  "model.baseChannels=32",
  "model.heads=1",
  // Levels and attention are those published for this size: where they are not, an import has to be told the size.
  "model.blocksPerLevel=1",
].flatMap((setting) => ["--set", setting]);

const work = mkdtempSync(join(tmpdir(), "ddad-docs-"));
const stands = {
  FOLDER: join(work, "data", "tile"),
  NEW_IMAGES: join(work, "data", "tile", "test"),
  NAME: "add",
};

if (existsSync(join(root, "runs")) && !words.includes("--list")) {
  console.error(
    "try-docs: this checkout holds runs/, which the commands of the documents would change. Run it in a fresh clone.",
  );
  process.exit(2);
}

let failures = 0;
let done = 0;
try {
  if (!words.includes("--list")) await prepare();
  for (const document of documents) for (const command of commandsOf(document)) attempt(command);
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(`${done} commands ran, ${failures} failed`);
process.exit(failures ? 1 : 0);

/** The lines of a document's shell fences. */
function commandsOf(document) {
  const text = readFileSync(join(root, document), "utf8");
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
    .flatMap(([, lines]) => lines.trim().split("\n"))
    .map((line) => {
      const [command, comment = ""] = line.split(/ +# ?/, 2);
      return { document, command: command.trim(), code: Number(/\bexit (\d+)/.exec(comment)?.[1] ?? 0) };
    });
}

/** Images and weights for what the names in capitals stand for. */
async function prepare() {
  run("npm", ["run", "setup"]);
  const { writeProcedural } = await import(join(root, "packages/node/dist/index.js"));
  const nn = await import(join(root, "packages/nn/dist/index.js"));
  const { writeWhole } = await import(join(root, "packages/node/dist/internal.js"));
  writeProcedural(join(work, "data"), {
    category: "tile",
    size: 64,
    train: 24,
    testGood: 4,
    testPerDefect: 1,
  });
  const device = await nn.setupDevice();
  const weights = await nn.resnet18({ init: "random" }).stateDict();
  writeWhole(join(work, "feat8"), nn.writeSafetensors(weights, { format: "pt" }));
  device.destroy();
}

function attempt({ document, command, code }) {
  const reason = skipped.find(([part]) => part.test(command))?.[1];
  if (reason || words.includes("--list")) {
    console.log(`${reason ? "skip" : "run "}  ${document}: ${command}${reason ? `   (${reason})` : ""}`);
    return;
  }
  const parts = command.split(" ").map((word) => stands[word] ?? word);
  const said = parts.flatMap((word) => replaced(word));
  if (/^npx ddad (run|train)\b/.test(command)) {
    const trains = !command.includes("--method");
    said.push(...(trains ? short : short.slice(0, 4)));
    if (command.includes("features.network") && trains) said.push("--set", "adaptation.steps=2");
    // Each document starts anew.
    if (said.includes("--out"))
      rmSync(join(root, said[said.indexOf("--out") + 1]), { recursive: true, force: true });
  }
  if (command.includes("import unet.pth")) exportUNet();
  const started = performance.now();
  const { status, stderr, stdout } = run(said[0], said.slice(1));
  done++;
  const right = status === code;
  if (!right) failures++;
  console.log(
    `${right ? "ok  " : "FAIL"}  ${document}: ${command}   (exit ${status}, ${((performance.now() - started) / 1000).toFixed(0)} s)`,
  );
  if (!right) console.log(`${stdout.slice(-2000)}${stderr.slice(-2000)}`);
}

/** The UNet of the run before as a file from elsewhere. */
function exportUNet() {
  const file = join(work, "unet.safetensors");
  run("npx", ["ddad", "export", "--checkpoint", "runs/parts", "--out", file]);
  copyFileSync(file, join(root, "unet.pth"));
}

function run(program, rest) {
  return spawnSync(program, program === "npx" ? ["--no-install", ...rest] : rest, {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    timeout: 900_000,
  });
}

/** The weights of a small random network in place of those that are downloaded. */
function replaced(word) {
  if (word === "features.network=wide_resnet101_2")
    return ["features.network=resnet18", "--set", `features.weights=${join(work, "feat8")}`];
  return [word === "feat8" ? join(work, "feat8") : word];
}
